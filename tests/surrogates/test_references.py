from importlib.metadata import EntryPoint

import pytest
from nax_surrogates import GaussianProcess

from nax_bo.errors import InputError, SurrogateError
from nax_bo.surrogate import (
    SurrogateReference,
    build,
    describe_surrogates,
    parse_reference,
    register_surrogate,
    registry,
    resolve,
    surrogate_names,
)


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def _plugins(monkeypatch, *points):
    registry._plugins.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: list(points))
    monkeypatch.setattr(registry, "_plugins", registry._plugins.__wrapped__)


def test_arguments_are_typed():
    text = "gp,a=1,b=2.5,c=true,d=None,e=text,f='1',g=1e-3"
    values = {"a": 1, "b": 2.5, "c": True, "d": None, "e": "text", "f": "1", "g": 1e-3}
    assert parse_reference(text) == ("gp", values)


@pytest.mark.parametrize("text", ["gp,kernel", "gp,1a=3", ",a=1", "gp,=2"])
def test_malformed_references_are_refused(text):
    with pytest.raises(InputError, match=r"argument|names no surrogate"):
        parse_reference(text)


def test_code_in_an_argument_stays_text():
    assert parse_reference("gp,a=__import__('os').getcwd()")[1]["a"] == "__import__('os').getcwd()"


def test_built_in_names_resolve():
    assert {"gp", "gbt", "blend"} <= set(surrogate_names())
    reference = resolve("gp,max_points=200", kernel="matern32")
    assert reference.arguments == {"max_points": 200, "kernel": "matern32"}
    assert build(reference).inner.kernel == "matern32"
    assert SurrogateReference.from_dict(reference.to_dict()) == reference


def test_classes_and_instances_have_references():
    assert resolve(GaussianProcess).reference == "nax_surrogates.gp:GaussianProcess"
    assert resolve(GaussianProcess(kernel="matern52", seed=3)).arguments == {"kernel": "matern52"}


def test_unknown_arguments_are_named():
    with pytest.raises(SurrogateError, match="takes no argument 'kernal'"):
        resolve("gp", kernal="matern32")


def test_close_names_are_offered():
    with pytest.raises(SurrogateError, match="Did you mean 'blend'"):
        resolve("blendd")


def test_local_classes_are_refused():
    class Local:
        def fit(self, X, Y): ...
        def predict(self, X): ...

    with pytest.raises(SurrogateError, match="inside a function"):
        resolve(Local)


def test_a_changed_source_is_noticed(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    def fit(self, X, Y): ...\n    def predict(self, X): ...\n")
    reference = resolve(f"{path}:Mine")
    assert not reference.changed()
    path.write_text(path.read_text() + "# edited\n")
    assert reference.changed()


def test_a_broken_file_is_reported(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import nothing_of_that_name\n")
    with pytest.raises(SurrogateError, match="nothing_of_that_name"):
        resolve(f"{path}:Mine")


@pytest.mark.usefixtures("clean_registry")
def test_registered_names_and_collisions():
    register_surrogate("mine", GaussianProcess)
    register_surrogate("mine", GaussianProcess)
    assert "mine" in surrogate_names()
    with pytest.raises(SurrogateError, match=r"wanted by builtins:dict and taken by nax_surrogates\.gp"):
        register_surrogate("mine", dict)
    with pytest.raises(SurrogateError, match="taken by naxbo"):
        register_surrogate("gp", dict)


@pytest.mark.usefixtures("clean_registry")
def test_a_bad_plugin_is_reported_and_skipped(monkeypatch):
    bad = EntryPoint("bad", "no_such_package.models:Forest", registry.GROUP)
    good = EntryPoint("good", "nax_surrogates:GaussianProcess", registry.GROUP)
    _plugins(monkeypatch, bad, good)
    problems = {info.name: info.problem for info in describe_surrogates()}
    assert problems["good"] == ""
    assert "no_such_package" in problems["bad"]


@pytest.mark.usefixtures("clean_registry")
def test_a_name_of_two_plugins_names_both(monkeypatch):
    first = EntryPoint("twin", "one.models:A", registry.GROUP)
    second = EntryPoint("twin", "two.models:B", registry.GROUP)
    _plugins(monkeypatch, first, second)
    with pytest.raises(SurrogateError, match=r"one\.models:A.* and .*two\.models:B"):
        resolve("twin")


def test_a_file_is_imported_once_until_it_changes(tmp_path):
    file, log = tmp_path / "own.py", tmp_path / "log"
    text = f"""
with open({str(log)!r}, "a") as log:
    log.write("x")
from nax_surrogates import GaussianProcess as Own
"""
    file.write_text(text, encoding="utf-8")
    for _ in range(3):
        build(f"{file}:Own")
    assert log.read_text(encoding="utf-8") == "x"
    file.write_text(text + "# changed\n", encoding="utf-8")
    build(f"{file}:Own")
    assert log.read_text(encoding="utf-8") == "xx"
