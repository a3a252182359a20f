"""What tells an operator how NeonHub is doing: logs, metrics, error reports."""
