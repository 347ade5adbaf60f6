"""A search that is a training itself, as part of a reproduction."""

import pytest

from nax_bo.errors import StoreError
from nax_bo.reproduce import procedures
from nax_bo.reproduce.procedures import procedure_found
from nax_bo.search.strategies.procedure import Found
from nax_bo.study import StudyConfig
from nax_bo.study.problem import StudyProblem

COST = "edap_uj_ms_mm2"


class Sampler:
    """Ends with a design drawn from the seed."""

    def run(self, family, data, cost, *, images, seed=0, conditions=None):
        assert len(data.train_images) == 200
        rows = family.space.sample(2, seed)
        assert cost(rows).shape == (2,)
        return Found(family.space.designs(rows)[0], images, 0.5)


@pytest.fixture(scope="module")
def problem():
    config = StudyConfig(system="nax", data="digits,train=200,test=100")
    return StudyProblem(config, (1, 8, 8), 10)


def test_what_it_finds_is_kept_and_found_again(problem, tmp_path, monkeypatch):
    monkeypatch.setattr(procedures, "PROCEDURES", {"nax": Sampler()})
    path = tmp_path / "own.json"
    found = procedure_found(path, problem, COST, 5000, seed=1)
    assert found.images_seen == 5000
    assert found.design.space == problem.space
    monkeypatch.setattr(procedures, "PROCEDURES", {})  # running again would be a KeyError
    again = procedure_found(path, problem, COST, 5000, seed=1)
    assert again == found


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"choices": {"nonsense": 1}, "images_seen": 1, "certainty": 1}']
)
def test_a_file_that_holds_something_else_is_refused(problem, tmp_path, text):
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(StoreError, match="no result of a search"):
        procedure_found(path, problem, COST, 1000, seed=0)
