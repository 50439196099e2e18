import pytest
import torch
from torch import nn

from gossipgrad.buckets import check_home, check_model, exchanged_tensors, re_home
from gossipgrad.errors import ConfigurationError, NonFiniteError


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 4))


def test_re_homing_changes_neither_values_nor_results():
    model, reference, images = network(), network(), torch.randn(2, 3, 8, 8)
    buckets = re_home(exchanged_tensors(model), 1000)
    assert len(buckets) > 1
    check_model(buckets, model)
    torch.testing.assert_close(model(images), reference(images), rtol=0, atol=0)


def test_parameters_lie_last_layer_first_then_buffers():
    names = [name for name, _ in exchanged_tensors(network())]
    assert names == ["3.bias", "3.weight", "1.bias", "1.weight", "0.bias", "0.weight",
                     "1.running_mean", "1.running_var"]  # fmt: skip


def test_channels_last_stays_channels_last():
    model = network().to(memory_format=torch.channels_last)
    re_home(exchanged_tensors(model), 10**9)
    weight = model[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()


def test_a_shared_parameter_has_one_home():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    (bucket,) = re_home(exchanged_tensors(model), 10**9)
    assert bucket.flat.numel() == 16 + 4 + 4
    bucket.flat.fill_(2.0)
    assert (model[1].weight == 2).all()


def test_an_expanded_parameter_gets_memory_of_its_own():
    model = nn.Module()
    model.scale = nn.Parameter(torch.ones(1).expand(3, 4))
    (bucket,) = re_home(exchanged_tensors(model), 10**9)
    assert bucket.flat.numel() == 12
    assert model.scale.shape == (3, 4)


def test_dtypes_do_not_mix():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    assert {bucket.flat.dtype for bucket in re_home(exchanged_tensors(model), 10**9)} == {
        torch.float32,
        torch.float64,
    }


def test_moving_a_model_out_is_noticed():
    model = nn.Linear(2, 2)
    buckets = re_home(exchanged_tensors(model), 10**9)
    model.double()
    with pytest.raises(ConfigurationError, match="was moved after wrapping"):
        check_home(buckets)


def test_new_memory_of_any_tensor_is_noticed_and_named():
    model = network()
    buckets = re_home(exchanged_tensors(model), 10**9)
    model[1].weight.data = torch.zeros(8)
    with pytest.raises(ConfigurationError, match=r"1\.weight was moved after wrapping"):
        check_home(buckets)


def test_a_tensor_that_took_anothers_place_is_noticed_and_named():
    model = network()
    buckets = re_home(exchanged_tensors(model), 10**9)
    model[1].running_var = 0.9 * model[1].running_var
    check_home(buckets)
    with pytest.raises(ConfigurationError, match=r"1\.running_var is another tensor than when"):
        check_model(buckets, model)


def test_nan_is_found_and_named():
    model = network()
    buckets = re_home(exchanged_tensors(model), 10**9)
    with torch.no_grad():
        model[3].weight[1, 1] = torch.nan
    with pytest.raises(NonFiniteError, match=r"3\.weight holds NaN or infinite values at step 5"):
        buckets[0].check_finite("at step 5")


def test_complex_parameters_are_refused():
    with pytest.raises(ConfigurationError, match="weight is complex"):
        re_home([("weight", torch.zeros(2, dtype=torch.complex64))], 10**9)
