"""What NeonHub keeps in Redis: key names, scripts, connections and the embedded server."""
