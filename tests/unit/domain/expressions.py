"""Five-field expressions of every form that cron(5) knows, some dense and some sparse."""

from hypothesis import strategies as st

MONTHS = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())
WEEKDAYS = tuple("sun mon tue wed thu fri sat".split())

_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 7, WEEKDAYS))


def _terms(low: int, high: int, names: tuple[str, ...]) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda ends: f"{min(ends)}-{max(ends)}")
    # No step longer than the field, which is refused when a schedule is made.
    steps = st.integers(1, high - low)
    stepped = st.tuples(st.one_of(st.just("*"), ranges, numbers.map(str)), steps)
    return st.one_of(
        numbers.map(str),
        ranges,
        stepped.map(lambda parts: f"{parts[0]}/{parts[1]}"),
        st.sampled_from(names) if names else st.just("*"),
    )


def _field(low: int, high: int, names: tuple[str, ...]) -> st.SearchStrategy[str]:
    lists = st.lists(_terms(low, high, names), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), lists)


_every_day = st.tuples(*(_field(*each) for each in _FIELDS[:2]), *[st.just("*")] * 3)
_some_days = st.tuples(*(_field(*each) for each in _FIELDS))

expressions = st.one_of(_every_day, _some_days).map(" ".join)
"""Some of them never fire, such as `0 0 31 2 *`."""
