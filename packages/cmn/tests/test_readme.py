"""The README's quick start runs as it stands, on a file that a reader could have."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_quick_start_runs(tmp_path, monkeypatch, capsys):
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    books = ["Dune", "Solaris", "Emma", "Persuasion", "Ubik", "Middlemarch"]
    rows = [
        f"{user},{book}"
        for number, user in enumerate(["ann", "bob", "eve", "joe", "sue", "tom", "zoe"])
        for place, book in enumerate(books)
        if (number + place) % 3
    ]
    (tmp_path / "ratings.csv").write_text("user,item\n" + "\n".join(rows))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), {})  # noqa: S102  the README's own code
    shown = capsys.readouterr().out
    assert re.search(r"user\s+item\s+rank\s+score", shown)
    assert "Dune for ann: score" in shown
    assert len(code.splitlines()) <= 7
