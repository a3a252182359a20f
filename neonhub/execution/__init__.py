"""Running sessions: claim, lease, keeper, end, retry, stop, slots, holds, lifeline."""
