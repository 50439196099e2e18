"""Experiment files: what is read, and what each mistake says."""

from pathlib import Path

import pytest

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec import load_experiment, parse_experiment

GOOD = """\
name: digits
command: [train, "--lr={lr}", "--layers={layers}"]
env: {ACT: "{act}"}
parameters:
  - {name: lr, type: double, bounds: {min: 1e-5, max: 1}, transformation: log, default: 1e-2}
  - name: layers
    type: int
    bounds: {min: 1, max: 4}
  - {name: act, type: categorical, categorical_values: [relu, tanh]}
metrics: [{name: acc}, {name: seconds, strategy: store}]
budget: 3
timeouts: {trial: 1.5h}
retries: {oom: {memory_factor: 2}}
resources: {memory: 1.5Gi}
"""


def test_a_good_file_becomes_a_value() -> None:
    experiment = parse_experiment(GOOD, "e.yml")
    assert [p.name for p in experiment.parameters] == ["lr", "layers", "act"]
    assert experiment.timeouts.trial_s == 5400
    assert [experiment.memory(ooms) for ooms in (0, 1, 2)] == [3 << 29, 3 << 30, 3 << 31]
    assert [metric.name for metric in experiment.objectives] == ["acc"]
    assert experiment.defaults is None, "layers has no default"
    assert parse_experiment(experiment.model_dump_json(by_alias=True), "json") == experiment


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ("max: 4", "max: 1", "8: parameters[1].bounds", "min (1) must be below max (1)"),
        ("min: 1e-5", "min: 0", "5: parameters[0].bounds.min", "must be above 0"),
        ("default: 1e-2", "default: 2", "5: parameters[0].default", "must lie within"),
        ("name: layers", "name: lr", "6: parameters[1]", "'lr' is defined more than once"),
        ("seconds,", "acc,", "10: metrics[1]", "'acc' is defined more than once"),
        ("budget: 3", "budget: 0", "11: budget", "must be at least 1, not 0"),
        ('"{act}"', "true", "3: env.ACT", "must be text or a number, not true (quote it)"),
        ("bounds: {min: 1, max: 4}", "grid: 5", "8: parameters[1].grid", "at least 2 numbers"),
        ("bounds: {min: 1, max: 4}", "grid: [1, a]", "8: parameters[1].grid", "at least 2 numbers"),
        ("bounds: {min: 1, max: 4}", "grid: []", "8: parameters[1].grid", "at least 2 numbers"),
        ("budget: 3", "budget: 3\nnum_solutions: 20000", "12: num_solutions", "at most 10000"),
        ("transformation: log", "prior: {name: cauchy}", "5: parameters[0].prior", "name must be"),
        ("1.5Gi", "1" + "0" * 400, "14: resources.memory", "must be an amount of memory"),
        ("budget: 3", "budget: yes", "11: budget", "must be a number, not True"),
        ("budget: 3", "budget: 2.5", "11: budget", "must be a whole number, not 2.5"),
        ("budget: 3", "bugdet: 3", "11: bugdet", "did you mean 'budget'"),
        ("budget: 3", "budget: 3\nbudget: 4", "12: budget", "given twice"),
        ("type: int", "type: integer", "6: parameters[1]", "type must be double, int or"),
        ("max: 1}", "max: .nan}", "5: parameters[0].bounds.max", "must be a finite number"),
        ("{lr}", "{rate}", "2: command", "{rate} is not a parameter"),
        ("{lr}", "{lr", "2: command", "double literal braces"),
        ("{act}", "{activation}", "3: env.ACT", "{activation} is not a parameter"),
        ("strategy: store", "strategy: keep", "10: metrics[1].strategy", "'constraint' or 'store'"),
        ("name: acc", "name: acc, strategy: store", "10: metrics", "one or two must"),
        ("[relu, tanh]", "[relu, relu]", "9: parameters[2].categorical_values", "more than once"),
        ("[relu, tanh]", "[relu]", "9: parameters[2].categorical_values", "at least 2"),
        ("1.5h", "soon", "12: timeouts.trial", "must be a positive duration"),
        ("factor: 2", "factor: 0.5", "13: retries.oom.memory_factor", "must be at least 1"),
        ("1.5Gi", "much", "14: resources.memory", "must be an amount of memory such as 512Mi"),
        ("1.5Gi", "1.5i", "14: resources.memory", "not '1.5i'"),
        ("memory: 1", "memroy: 1", "14: resources.memroy", "did you mean 'memory'"),
        ("name: digits", "name: [", "1", ""),
    ],
)
def test_a_mistake_names_line_and_key(old: str, new: str, where: str, said: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(SpecError) as caught:
        parse_experiment(GOOD.replace(old, new), "e.yml")
    message = str(caught.value)
    if new == "name: [":  # YAML itself fails, wherever its parser notices
        assert message.startswith("e.yml:")
        assert "not valid YAML" in message
    else:
        assert message.startswith(f"e.yml:{where}: ")
        assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "3", "- a", "a: {b", "a: \0", "? [x]\n: 1"])
def test_what_is_no_experiment_at_all_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"^e\.yml"):
        parse_experiment(text, "e.yml")


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        load_experiment(tmp_path / "absent.yml")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        load_experiment(tmp_path / "binary.yml")


def test_a_file_that_extends_another_has_its_keys_and_its_own_instead(tmp_path: Path) -> None:
    (tmp_path / "experiment.yml").write_text(GOOD)
    above = tmp_path / "cluster.yml"
    above.write_text(
        "extends: experiment.yml\nbudget: 7\nresources: {cpu: 2}\nimage: a\nbackend: kubernetes\n"
    )
    base, extended = load_experiment(tmp_path / "experiment.yml"), load_experiment(above)
    assert extended.command == base.command
    assert extended.parameters == base.parameters
    assert (base.budget, extended.budget) == (3, 7)
    assert extended.resources.memory is None, "a key counts whole, as it stands in the upper file"


def test_mistakes_name_the_file_that_they_stand_in(tmp_path: Path) -> None:
    base, above = tmp_path / "experiment.yml", tmp_path / "above.yml"
    base.write_text(GOOD.replace("budget: 3", "budget: none"))
    above.write_text("extends: experiment.yml\nparallel: 0\n")
    with pytest.raises(SpecError) as raised:
        load_experiment(above)
    assert str(raised.value).startswith(f"{above}:2: parallel: must be at least 1")
    assert str(raised.value).endswith("(1 more after this one)")
    above.write_text("extends: experiment.yml\n")
    with pytest.raises(SpecError) as raised:
        load_experiment(above)
    assert str(raised.value).startswith(f"{base}:11: budget: must be a whole number")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: above.yml\n", "1: extends: above.yml is extended by itself"),
        ("name: x\nextends: other.yml\n", "2: extends: there is no file"),
        ("extends: [a, b]\n", "1: extends: must be the path of one experiment file"),
        ("extends: list.yml\n", "is not a mapping"),
    ],
)
def test_what_cannot_be_extended_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "list.yml").write_text("- 1\n")
    above = tmp_path / "above.yml"
    above.write_text(text)
    with pytest.raises(SpecError) as raised:
        load_experiment(above)
    assert said in str(raised.value)


def test_a_text_that_is_no_file_extends_none() -> None:
    with pytest.raises(SpecError, match="extends: unknown key"):
        parse_experiment("extends: experiment.yml\n" + GOOD, "e.yml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: 2024-13-01", "a value is not what it looks like: month must be"),
        ("name: !!int abc", "a value is not what it looks like"),
        ("name: &a [*a]", "nested too deeply, or within itself"),
        ("name: " + "[" * 3000, "nested too deeply, or within itself"),
    ],
)
def test_values_that_yaml_itself_trips_over(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=f"e.yml: {said}"):
        parse_experiment(text, "e.yml")
