"""Counts kept one design at a time are those of counting anew."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.space import Space, ordinal
from nax_bo.study.file.trial import Evaluation, Trial
from nax_bo.study.running.book import Book, Looks

SPACE = Space([ordinal("a", range(100))])
STEPS = st.lists(
    st.tuples(st.sampled_from(["new short", "new full", "promote", "finish", "fail"]), st.integers(0, 99)),
    max_size=40,
)


def counted_anew(trials: list[Trial]) -> Looks:
    cheap = [t for t in trials if any(e.fidelity == "short" for e in t.evaluations)]
    full = [e.id for t in cheap for e in t.evaluations if e.fidelity == "full"]
    last, newest = max(full, default=-1), max((t.evaluations[0].id for t in trials), default=-1)
    waiting = sum(all(e.fidelity != "full" and e.state != "failed" for e in t.evaluations) for t in cheap)
    return Looks(waiting, sum(t.evaluations[0].id > last for t in cheap), sum(i > newest for i in full))


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_counts_are_those_of_counting_anew(steps) -> None:
    trials: list[Trial] = []
    book, ids = Book([]), 0

    def evaluation(number: int, fidelity: str) -> Evaluation:
        return Evaluation(ids, number, fidelity, "", "queued", None, {}, "", 0.0)

    for kind, which in steps:
        if kind.startswith("new"):
            number = len(trials)
            trials.append(Trial(number, SPACE.design([number]), {}, (evaluation(number, kind[4:]),)))
        elif not trials:
            continue
        else:
            number = which % len(trials)
            t = trials[number]
            if kind == "promote":
                if any(e.fidelity == "full" for e in t.evaluations):
                    continue
                trials[number] = replace(t, evaluations=(*t.evaluations, evaluation(number, "full")))
            else:
                state = "done" if kind == "finish" else "failed"
                trials[number] = replace(
                    t, evaluations=(*t.evaluations[:-1], replace(t.evaluations[-1], state=state))
                )
        ids += 1
        book.note(trials[number])
        assert book.looks == counted_anew(trials) == Book(trials).looks
        assert (book.designs, book.failed) == (len(trials), sum(t.failed for t in trials))
        assert book.full == sum(t.at("full") is not None for t in trials)
