"""Deciding ticks: schedules, timers, and the scheduler that fires them."""
