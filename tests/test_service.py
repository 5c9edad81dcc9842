"""The service by its public name."""

import pytest
from twisted.application.service import IService
from twisted.internet.task import Clock

from txproxy.config import Config, ForwardListener
from txproxy.errors import ConfigError
from txproxy.service import ProxyService, make_service


def test_a_configuration_makes_a_service():
    config = Config(listeners=(ForwardListener(listen=("tcp:0",)),))
    service = make_service(config, Clock())
    assert IService.providedBy(service)
    assert isinstance(service, ProxyService)
    assert service.config is config


def test_what_is_wrong_is_one_error():
    with pytest.raises(ConfigError, match="--listen"):
        make_service(Config(listeners=(ForwardListener(),)), Clock())
