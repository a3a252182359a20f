"""What `rq cron` runs: one job, every second."""

from rq import cron

from bench.rq_jobs import note

cron.register(note, queue_name="bench", interval=1)
