"""The name of every Redis key and channel NeonHub owns; RQ's own keys are its business."""

TIMERS = "neonhub:timers"
"""Sorted set: `tick:<scheduleId>` or `retry:<sessionId>` → the unix second it is due."""

WAKE = "neonhub:timers:wake"
"""Channel: a timer nearer than the others was set."""

JOB_MODEL = "neonhub:job"
"""Hash: what the jobs of one queue share, while they are handed over."""

BATCH_PREFIX = "neonhub:batch:"
"""Lists per batch, expire: ids of jobs that are written and not pushed yet, and timer moves."""

MARKER = "neonhub:alive"
"""String: gone means Redis was emptied, and everything is put back from the database."""

EVENTS_STREAM = "neonhub:events"
"""Stream, capped: the events clients can still ask to have replayed."""

EVENTS_CHANNEL = "neonhub:events:live"
"""Channel: each event as it is published, as JSON."""

EVENTS_SEEN = "neonhub:events:seen"
"""Sorted set: row id of an event already published → the unix second it was."""

COUNTERS = "neonhub:counters"
"""Hash: how many sessions ended, by agent and status, and how long they took; for the metrics."""

STOP_PREFIX = "neonhub:stop:"
"""String per session id, expires: someone asked for it to stop."""

SCHEDULER_PREFIX = "neonhub:scheduler:"
"""Hash per scheduler, expires: its heartbeat."""

QUEUES = ("critical", "high", "normal", "low")
"""RQ's queues, most urgent first."""

SCHEDULERS = "neonhub:schedulers"
"""Sorted set: name of a scheduler → the unix second of its last heartbeat."""

WORKER_FAULT = "fault"
"""Field of RQ's hash of a worker of the pool: why its pool can start no agent, or empty."""
