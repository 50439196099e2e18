import pytest
import torch
from fleet import run_ranks

from gossipgrad.collectives import Collectives
from gossipgrad.consensus import average


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 7, 8, 11])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_all_ranks_get_the_same_bits_of_the_weighted_mean_in_log_p_exchanges(size, dtype):
    values = [torch.randn(50, generator=torch.Generator().manual_seed(r)) for r in range(size)]
    masses = [1.0 + 0.25 * rank for rank in range(size)]

    def body(transport):
        flat = values[transport.rank].to(dtype)
        together = Collectives(transport, range(size))
        (mean,), report = average([flat], masses[transport.rank], together)
        return mean.to(dtype), report

    results = run_ranks(size, body)
    exact = sum(m * v.to(dtype).double() for m, v in zip(masses, values, strict=True)) / sum(masses)
    for flat, report in results:
        assert torch.equal(flat, results[0][0])
        assert report.exchanges == (size - 1).bit_length()
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 1e-2}[dtype]
    torch.testing.assert_close(results[0][0].double(), exact, rtol=tolerance, atol=tolerance)
