"""The processes: one file each, a short loop around one step."""
