"""The whole of NeonHub on one machine: its processes, started, watched and ended together."""
