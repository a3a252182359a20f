"""The plot of growth shows what the results say."""

from xml.etree import ElementTree

from bench.plot import points_of, svg


def result(
    case: str, median: float, question: str = "firing 2,000 that are due"
) -> dict[str, object]:
    spread = {"min": median - 1, "max": median + 1}
    return {"question": question, "case": case, "median": median} | spread


def test_only_what_grows_has_points() -> None:
    results = [
        result("sqlite, 10,000 schedules", 50),
        result("sqlite, 1,000,000 schedules", 60),
        result("rq-scheduler", 2000),
        result("sqlite, 10,000 schedules", 2000, question="another"),
    ]
    [lines] = points_of(results).values()
    assert [(point.schedules, point.median) for point in lines["sqlite"]] == [
        (10_000, 50),
        (1_000_000, 60),
    ]


def test_the_drawing_has_a_circle_for_each_point() -> None:
    results = [result(f"{kind}, 10,000 schedules", 50) for kind in ("sqlite", "postgres")]
    drawn = ElementTree.fromstring(svg(points_of(results)))
    circles = drawn.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2 + 2  # and one in the legend for each line
