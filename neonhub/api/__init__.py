"""The HTTP API and the WebSocket: one blueprint a resource."""
