import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossipgrad.errors import ConfigurationError
from gossipgrad.wire import CHUNK, WIRES, make_codec

COUNTS = st.one_of(st.integers(1, 700), st.sampled_from([CHUNK, CHUNK + 1, 2 * CHUNK + 28]))


def round_trip(codec, values, residual=None):
    payload = torch.zeros(codec.nbytes(len(values)), dtype=torch.uint8)
    codec.encode(values, payload, residual)
    return codec.decode(payload, 0, torch.empty_like(values))


@given(
    COUNTS,
    st.integers(0, 99),
    st.sampled_from(WIRES),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_values_come_back_within_the_formats_precision(count, seed, wire, dtype):
    values = torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    back = round_trip(make_codec(wire), values)
    relative = {"fp32": 2**-24, "bf16": 2**-8, "int8": 0.0}[wire]
    absolute = values.abs().max() / 254 * 1.001 if wire == "int8" else 1e-30
    assert ((back - values).abs() <= relative * values.abs() + absolute).all()


@given(st.integers(300, 2000), st.integers(0, 9), st.integers(0, 7))
def test_a_part_can_be_read_by_itself(count, seed, block):
    values = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    for wire in WIRES:
        codec = make_codec(wire)
        payload = torch.zeros(codec.nbytes(count), dtype=torch.uint8)
        codec.encode(values, payload, None)
        whole = codec.decode(payload, 0, torch.empty(count))
        start = min(block * 256, count // 256 * 256)
        part = codec.decode(payload, start, torch.empty(min(100, count - start)))
        torch.testing.assert_close(part, whole[start : start + len(part)], rtol=0, atol=0)


def test_error_feedback_sends_in_the_long_run_what_one_message_cannot():
    values = torch.linspace(-1, 1, 256) / 300
    values[0] = 1.0  # sets the scale so coarse that the rest rounds to zero
    residual = torch.zeros(256)
    total = sum(round_trip(make_codec("int8"), values, residual) for _ in range(200))
    torch.testing.assert_close(total / 200, values, rtol=0, atol=1 / 127 / 200)


def test_bytes_on_the_wire_are_what_the_format_promises():
    assert [make_codec(wire).nbytes(1024) for wire in ("fp32", "bf16", "int8")] == [
        4096,
        2048,
        1040,
    ]


def test_an_unknown_wire_is_named():
    with pytest.raises(ConfigurationError, match="wire is 'fp8'; allowed: fp32, bf16, int8"):
        make_codec("fp8")
