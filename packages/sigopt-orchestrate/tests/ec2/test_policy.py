import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from eks_interruptions import SMALL, inventory, run, undo

from sigopt_orchestrate.aws import session
from sigopt_orchestrate.aws.policy import cluster_policy, experiment_policy
from sigopt_orchestrate.cli.eks import create_command, load_cluster
from sigopt_orchestrate.cli.show import status_command
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors.ec2.preflight import preflight
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.spec.cluster import ClusterFile, parse_cluster
from sigopt_orchestrate.store import ExperimentRecord, Store

pytestmark = pytest.mark.timeout(900)  # however busy the machine is


def allowed(document: dict[str, object]) -> set[str]:
    statements = document["Statement"]
    assert isinstance(statements, list)
    return {action.lower() for one in statements for action in one["Action"]}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions that were asked of AWS, as IAM calls them."""
    found: set[str] = set()
    honest = session.Client.guarded

    def noted(self: session.Client, operation: str, work: Callable[[], object]) -> object:
        service = self.service.replace("service-quotas", "servicequotas")
        found.add(f"{service}:{operation.replace('_', '')}")
        return honest(self, operation, work)

    monkeypatch.setattr(session.Client, "guarded", noted)
    return found


@pytest.mark.usefixtures("aws")
def test_a_clusters_policy_allows_all_that_it_takes_and_nothing_else_of_eks(
    made: set[str], tmp_path: Path
) -> None:
    file = ClusterFile.model_validate(SMALL)
    run(file, tmp_path)
    smaller = {**SMALL, "nodes": {"cpu": {**SMALL["nodes"]["cpu"], "max": 9}}}
    run(ClusterFile.model_validate(smaller), tmp_path)
    assert undo(file, tmp_path) == {}
    policy = allowed(cluster_policy(file))
    assert made <= policy
    assert {a for a in policy if a.startswith("eks:")} - made <= {"eks:tagresource"}


@pytest.mark.usefixtures("aws")
def test_an_experiments_policy_allows_all_that_doctor_asks(
    made: set[str], make_ec2_spec: Callable[..., Experiment]
) -> None:
    spec = make_ec2_spec({"resources": {"spot": "prefer"}}, types=["m5.large"], prices={})
    found = list(preflight(spec))
    assert "bad" not in {one.verdict for one in found}, found
    assert made - {"sts:getcalleridentity"} <= allowed(experiment_policy(spec))


@pytest.mark.usefixtures("aws")
def test_a_cost_limit_without_known_prices_is_refused(
    make_ec2_spec: Callable[..., Experiment],
) -> None:
    limited = {"limits": {"cost_usd": 1}}
    unknown = make_ec2_spec(limited, types=["c4.8xlarge"])
    (bad,) = [one.said for one in preflight(unknown) if one.verdict == "bad"]
    assert bad == (
        "limits.cost_usd: the prices of c4.8xlarge are neither in our table nor to be had from "
        "AWS's list; give USD per hour in the file, as backend.ec2.prices: {c4.8xlarge: ...}"
    )
    named = make_ec2_spec(limited, types=["c4.8xlarge"], prices={"c4.8xlarge": 1.5})
    assert "bad" not in {one.verdict for one in preflight(named)}


def test_an_old_cluster_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text(
        "provider: aws\ncluster_name: tiny\n"
        "gpu: {instance_type: p3.2xlarge, min_nodes: 0, max_nodes: 2}\n"
    )
    file = load_cluster(path)
    assert file.name == "tiny"
    assert file.nodes["gpu"].gpu
    assert file.nodes["gpu"].max == 2
    path.write_text(
        "provider: custom\ncluster_name: tiny\ncpu: {instance_type: a.b, max_nodes: 2}\n"
    )
    with pytest.raises(SpecError, match="provider: only clusters of the provider aws"):
        load_cluster(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": {}}, "nodes: "),
        ({"nodes": {"cpu": {"types": ["m5.large"], "min": 3, "max": 2}}}, "at most max"),
        ({"node": {}}, "unknown key; did you mean 'nodes'"),
    ],
)
def test_a_bad_cluster_file_is_refused_in_a_sentence(change: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse_cluster({**SMALL, **change}, "cluster.yml")


def test_status_says_what_instances_and_trials_have_cost(
    store: Store, experiment: ExperimentRecord, tmp_path: Path
) -> None:
    folder = store.home.experiment(experiment.id)
    folder.root.mkdir(parents=True, exist_ok=True)
    instance = {"usd_per_hour": 3.6, "launched_at": 1000.0, "ended_at": 2000.0}
    (folder.root / "fleet.json").write_text(json.dumps({"instances": [instance], "launches": []}))
    asked = CliRunner().invoke(status_command, ["--home", str(tmp_path / "home"), "--json"])
    assert json.loads(asked.output)["cost_usd"] == pytest.approx(1.0)


@pytest.mark.usefixtures("aws")
def test_the_plan_of_a_cluster_and_its_cost_are_printed_and_nothing_is_made(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text("name: lab\nnodes: {cpu: {types: [m5.large], min: 1, max: 4}}\n")
    before = inventory()
    asked = CliRunner().invoke(
        create_command, ["-f", str(path), "--dry-run", "--home", str(tmp_path / "home")]
    )
    assert asked.exit_code == 0, asked.output
    assert "control plane: EKS control plane" in asked.output
    assert "0.196" in asked.output, "an hour of the control plane and of one m5.large"
    assert "0.484" in asked.output, "and of four"
    assert inventory() == before
    assert not (tmp_path / "home").exists()
