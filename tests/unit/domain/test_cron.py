"""Cron expressions: what is understood, what is refused, what a date means."""

from datetime import date

import pytest

from neonhub.domain.cron import InvalidSchedule, parse_cron, refuse_backward_ranges


@pytest.mark.parametrize(
    ("text", "minutes", "hours"),
    [
        ("0 9 * * *", (0,), (9,)),
        ("*/15 9-11 * * *", (0, 15, 30, 45), (9, 10, 11)),
        ("5,10 0 * * *", (5, 10), (0,)),
        ("10-20/5 */12 * * *", (10, 15, 20), (0, 12)),
        ("@daily", (0,), (0,)),
        ("@Hourly", (0,), tuple(range(24))),
        ("5-5 9-9 * * *", (5,), (9,)),
        ("5-5/2,05-5 23-1 * * *", (5,), (0, 1, 23)),
        ("*,5 9,* * * *", tuple(range(60)), tuple(range(24))),
    ],
)
def test_minutes_and_hours(text: str, minutes: tuple[int, ...], hours: tuple[int, ...]) -> None:
    cron = parse_cron(text)
    assert (cron.minutes, cron.hours) == (minutes, hours)


SUNDAY, MONDAY = date(2026, 3, 1), date(2026, 3, 2)


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        ("0 0 * * 0", SUNDAY, True),
        ("0 0 * * 7", SUNDAY, True),
        ("0 0 * * sun", SUNDAY, True),
        ("0 0 * * 1-5", SUNDAY, False),
        ("0 0 * * MON-FRI", MONDAY, True),
        ("0 0 * mar *", MONDAY, True),
        ("0 0 * 4 *", MONDAY, False),
        ("0 0 2 * *", MONDAY, True),
        ("0 0 13 * 1", MONDAY, True),
        ("0 0 2 * 5", MONDAY, True),
        ("0 0 13 * 5", MONDAY, False),
        ("0 0 */2 * 1", MONDAY, False),
        ("0 0 */2 * 0", SUNDAY, True),
        ("0 0 * * 0-0", MONDAY, False),
        ("0 0 * * sun-0", MONDAY, False),
        ("0 0 * * mon-Mon", SUNDAY, False),
        ("0 0 * * fri-mon", MONDAY, True),
        ("0 0 * * 0-7", MONDAY, True),
        ("0 0 2-2 2-2,apr-Apr *", MONDAY, False),
        ("0 0 13 * 5,*", MONDAY, True),
        ("0 0 13 * *,5", MONDAY, False),
        ("@weekly", SUNDAY, True),
        ("@yearly", SUNDAY, False),
    ],
)
def test_a_date_matches_by_day_of_month_or_day_of_week(
    text: str, day: date, expected: bool
) -> None:
    assert parse_cron(text).matches(day) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * *", "6 fields"),
        ("@reboot", "not known"),
        ("R", "1 field;"),
        ("R * * * *", "'R'"),
        ("H * * * *", "'H'"),
        ("0 0 L * *", "'L'"),
        ("0 0 15W * *", "'W'"),
        ("0 0 * * mon#1", "'#'"),
        ("0 0 ? * *", "'?'"),
        ("60 * * * *", "'60' is not a minute, 0 to 59"),
        ("0 9-24 * * *", "'9-24' is not an hour, 0 to 23"),
        ("0 0 0 * *", "'0' is not a day of month, 1 to 31"),
        ("0 0 * 13 *", "'13' is not a month, 1 to 12"),
        ("0 0 * * 8", "'8' is not a day of week, 0 to 7"),
        ("a b c d e", "'a' is not a minute"),
        ("*/0 * * * *", "'\\*/0' is not a minute"),
        ("*/mon * * * *", "'\\*/mon' is not a minute"),
        ("0 0 * * */mon", "is not a day of week"),
        ("0 0 * mon-mon *", "'mon-mon' is not a month"),
        ("5-5/0 * * * *", "'5-5/0' is not a minute"),
        ("0 0 * * 8-8", "'8-8' is not a day of week"),
        ("0 0 31 2 *", "never fires"),
        ("0 0 30 feb *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
    ],
)
def test_what_is_not_standard_cron_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(InvalidSchedule, match=reason):
        parse_cron(text)


@pytest.mark.parametrize(
    "text",
    [
        *("5-1 * * * *", "0 22-4 * * *", "0 0 28-3 * *", "0 0 * nov-feb *", "50-10/5 * * * *"),
        *("0 0 * * fri-mon", "0 0 * * 6-0", "0 0 * * 7-0", "0 0 * * 7-2", "0,5-1 * * * *"),
    ],
)
def test_a_range_that_does_not_go_upwards_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"does not go upwards; write two, such as 22-23,0-4"):
        refuse_backward_ranges(text)


@pytest.mark.parametrize("text", ["fri-sun", "FRI-Sun/2", "5-7", "5-sun", "sun-sat", "mon,fri-sun"])
def test_a_range_may_end_on_sunday(text: str) -> None:
    refuse_backward_ranges(f"0 0 * * {text}")
    assert parse_cron(f"0 0 * * {text}").matches(SUNDAY)


@pytest.mark.parametrize(
    "text", ["@weekly", "5-5 0-23 1-31 1-12 0-7", "*/5 9-17/2 1,2-3 jan-dec *"]
)
def test_any_other_range_goes_upwards(text: str) -> None:
    refuse_backward_ranges(text)


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 2 1", "0 0 31 1,2 *", "*/60 */24 * * *"])
def test_what_fires_rarely_is_accepted(text: str) -> None:
    assert parse_cron(text).next_date(date(2026, 1, 1)) is not None


@pytest.mark.parametrize(
    ("text", "follows"),
    [
        ("30 2 * * *", False),
        ("30 * * * *", True),
        ("*,30 2 * * *", True),
        ("30,* 2 * * *", False),
        ("*/5 2 * * *", True),
        ("0 */6 * * *", True),
        ("0 0-23 * * *", False),
        ("@hourly", True),
        ("@daily", False),
    ],
)
def test_a_job_follows_the_clock_if_its_minute_or_hour_begins_with_a_star(
    text: str, follows: bool
) -> None:
    assert parse_cron(text).follows_clock is follows
