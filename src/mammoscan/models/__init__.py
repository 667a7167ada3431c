"""The networks: each file holds one architecture and returns an uncompiled ``keras.Model``."""

from __future__ import annotations

from mammoscan.models.architectures import list_networks
from mammoscan.models.registry import build_network
from mammoscan.models.summary import describe_network, summarise_network

__all__ = ["build_network", "describe_network", "list_networks", "summarise_network"]
