"""A page that follows a study while it runs, and ends with it."""

import time

from nax_cli.report import report

from nax_bo.study import Study, StudyConfig


def test_a_page_follows_a_study_and_ends_with_it(tmp_path, simulated_trainings, monkeypatch, capsys):
    path = tmp_path / "s.naxbo"
    with Study(path, StudyConfig(budget=6, strategy="random", workers=1)) as study:
        study.run(executor=simulated_trainings())
        lock, pages = study.store.lock(), []

        def patience(seconds):
            assert seconds == 7
            pages.append((tmp_path / "report" / "index.html").read_text())
            lock.release()

        monkeypatch.setattr(time, "sleep", patience)
        report(str(path), tmp_path / "report", watch=7.0)
    assert "the study has stopped" in capsys.readouterr().err
    assert '"refresh_s": 7' in pages[0]
    assert "reads itself again every 7 s" in pages[0]
    final = (tmp_path / "report" / "index.html").read_text()
    assert '"refresh_s": null' in final
    assert (tmp_path / "report" / "front.svg").exists()
