"""What is kept of the past: pruning ended sessions, their logs, and what expired."""
