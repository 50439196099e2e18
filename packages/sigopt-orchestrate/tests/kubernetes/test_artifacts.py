"""What pods leave, in a bucket that they have no credentials for."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.aws import session
from sigopt_orchestrate.executors import Ended, Exit, Lost, Running

if TYPE_CHECKING:
    from pretend_aws import Aws

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_HOST = "10.244.0.1"  # this machine, as pods see it


@pytest.fixture
def bucket(
    aws: "Aws", make_bucket: Callable[..., str], kube: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """A bucket that pods can reach."""
    from pretend_aws import reachable_at  # noqa: PLC0415 - moto takes seconds

    assert kube
    name = make_bucket("pods")
    with reachable_at(aws, _HOST) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        session.client.cache_clear()
        yield Bucket(name)
    session.client.cache_clear()


def test_a_pods_next_attempt_finds_its_checkpoint_and_the_output_is_kept(
    bucket: Bucket, make_bench
) -> None:
    bench = make_bench(artifacts={"uri": "s3://pods/team", "checkpoint_every": 1})
    first = bench.submit("sh", "-c", "echo 7 > $ORCHESTRATE_CHECKPOINT/step; exec sleep 600")
    bench.until(first, Running)
    bench.wait(
        lambda: (
            bench.until(first, Running)
            and any(key.endswith("/checkpoint.json") for key in bucket.keys(""))
        ),
        "checkpoint",
    )
    pod = f"{bench.executor._tasks[first.token].name}-0"
    bench.kube.kubectl("delete", "pod", pod, "-n", bench.cluster.namespace, "--wait=false")
    bench.until(first, Lost)
    line = (
        "cat $ORCHESTRATE_CHECKPOINT/step > $ORCHESTRATE_OUTPUT/resumed; "
        "head -c 9000000 /dev/zero > $ORCHESTRATE_OUTPUT/large; echo done"
    )
    second = bench.submit("sh", "-c", line, after=first)
    assert bench.until(second, Ended) == Ended(Exit(0))
    assert second.folder.log.read_text() == "done\n", "couriers are not heard in it"
    kept = bucket.keys("")
    root = kept[0].partition("/trials/")[0]
    outputs = [key for key in kept if "/checkpoint" not in key]
    assert outputs == [
        f"{root}/trials/0001/2/{name}" for name in ("output.json", "output/large", "output/resumed")
    ]
    with bucket.call("get_object", Key=outputs[2])["Body"] as body:
        assert body.read() == b"7\n"
    assert bucket.uploads("") == []
