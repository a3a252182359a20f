"""Tells a schedule's id in an address from the words that stand in its place."""

from werkzeug.routing import BaseConverter


class ScheduleId(BaseConverter):
    """Any one part of an address but the calls beside `/api/schedules/{scheduleId}`.

    Without it their addresses would take the methods of a schedule too, and answer that no
    schedule has the id `preview`.
    """

    part_isolating = True
    regex = r"(?!(?:pause|preview|resume)\Z)[^/]+"
