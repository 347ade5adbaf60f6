"""Studies whose trainings are simulated: real loop, real store, an accuracy that follows from the design."""

import lzma
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nax_bo.accuracy.report import AccuracyReport
from nax_bo.report.collect import collect
from nax_bo.report.data import ReportData
from nax_bo.report.page import page
from nax_bo.study import Study, StudyConfig
from nax_bo.study.file.transcript import import_study
from nax_bo.study.running.job import Job, JobResult


class SimulatedTrainings(Executor):
    """Runs no job: answers with an accuracy that grows with width and bits, noisy between chips.

    Shares ``failing`` of the designs fail. The noise is drawn from the job's seed.
    """

    def __init__(self, failing: float = 0.0) -> None:
        self.failing = failing

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self._train(args[0]))
        return future

    def _train(self, job: Job) -> JobResult:
        rng = np.random.default_rng(job.seed)
        if rng.random() < self.failing:
            return JobResult(None, "the training diverged: its loss is not a number")
        arrays, layers = job.chip["arrays"][0], job.network["layers"]
        widths = [x["out_shape"][0] for x in layers if x["op"] == "conv"]
        z = 0.9 * np.log2(np.mean(widths)) + 0.7 * arrays["adc_bits"] + 0.5 * arrays["input_bits"] - 8.0
        z += (0.0 if job.fidelity == "full" else -0.8) + 0.15 * rng.standard_normal()
        clean = 0.1 + 0.89 / (1.0 + np.exp(-z))
        draws = np.clip(clean - 0.02 * np.abs(rng.standard_normal(max(6, job.least_chips))), 0.0, 1.0)
        return JobResult(
            AccuracyReport(tuple(draws.tolist()), float(clean), 359, job.fidelity, 1.0, trainings=3).to_dict()
        )


@pytest.fixture(scope="session")
def simulated_trainings() -> type[SimulatedTrainings]:
    """The executor, for studies that tests make themselves."""
    return SimulatedTrainings


@pytest.fixture
def simulated_study(tmp_path: Path) -> Callable[..., Study]:
    """Makes a study of ``budget`` designs with simulated trainings and the given settings."""
    made = []

    def make(budget: int, failing: float = 0.0, **settings: Any) -> Study:
        config = StudyConfig(
            **{"strategy": "random", "surrogate": "gp", "workers": 1, "budget": budget, **settings}
        )
        study = Study(tmp_path / f"study{len(made)}.naxbo", config)
        made.append(study)
        study.run(executor=SimulatedTrainings(failing))
        return study

    yield make
    for study in made:
        study.store.close()


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study of 24 designs, some of which fail."""
    settings = StudyConfig(strategy="random", surrogate="gp", workers=1, budget=24, calibrate_every=3)
    with Study(tmp_path_factory.mktemp("grown") / "grown.naxbo", settings) as study:
        study.run(executor=SimulatedTrainings(failing=0.1))
        yield study


@pytest.fixture(scope="session")
def data(grown: Study) -> ReportData:
    """What its report shows."""
    return collect(grown)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A real study: what ``naxbo optimize --budget 200`` found on the default data, exported as text."""
    folder = tmp_path_factory.mktemp("real")
    packed = Path(__file__).parents[1] / "data" / "default_study.jsonl.xz"
    (folder / "log.jsonl").write_bytes(lzma.decompress(packed.read_bytes()))
    import_study(folder / "log.jsonl", folder / "study.naxbo")
    with Study(folder / "study.naxbo") as study:
        yield study


@pytest.fixture(scope="session")
def real_data(real: Study) -> ReportData:
    """What its report shows, without what takes trainings and fits."""
    return collect(real, quick=True)


@pytest.fixture(scope="session")
def real_page(real: Study, real_data: ReportData) -> Path:
    """Its page."""
    path = real.store.path.with_name("index.html")
    path.write_text(page(real_data), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def browse() -> Callable[..., AbstractContextManager[Any]]:
    """Opens a page in a headless browser; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no browser is installed")

    @contextmanager
    def open_page(path: Path, width: int, dark: bool = False) -> Iterator[Any]:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
            options.add_argument(flag)
        options.add_argument("--disable-dev-shm-usage")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            if dark:
                media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
                opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            opened.get(f"file://{path}")
            deadline = time.monotonic() + 60
            while not opened.execute_script("return document.documentElement.dataset.ready"):
                assert time.monotonic() < deadline, opened.get_log("browser")
                time.sleep(0.05)
            yield opened
        finally:
            opened.quit()

    return open_page
