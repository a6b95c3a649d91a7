"""The streaming worker, put together over the ground of a process. A part of `bootstrap`.

Names the adapters of streams, bus and messengers. Telegram's library is loaded only where a token is set: it
weighs as much as a third of the web process.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum

from app.api.deps import TelegramWebhook
from app.bootstrap_base import Base
from app.bootstrap_messages import Messengers, build_chats, build_messengers
from app.bootstrap_use_cases import UseCases, build_poller
from app.core.alerting.desk import AlertDesk
from app.core.clock import SystemClock
from app.core.domain.alerts import AlertContext
from app.core.domain.flow import Finding, LinkStatus
from app.core.domain.market_figures import LevelFigures
from app.core.domain.partition import Partitioning
from app.core.domain.signal import Direction
from app.core.domain.symbol import Symbol
from app.core.errors import ConfigurationError
from app.core.flow.engine import FlowEngine, Scope
from app.core.flow.identify import Identifier
from app.core.flow.market_filter import judge_market
from app.services.bus.leases import RedisLeases
from app.services.bus.link import BusLink
from app.services.bus.streams import RedisFrameLog
from app.services.chat_book import ChatBook
from app.services.coinglass.stream import CoinGlassStream, keyed_socket
from app.services.okx.stream import OkxStream, public_socket
from app.services.streaming.delivery import DeliveryOptions, DeliveryService
from app.services.streaming.ingest import FrameIngest
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.outcome_tracker import OutcomeTracker
from app.services.streaming.partition_handler import PartitionHandler
from app.services.streaming.partitions import PartitionWorker
from app.services.streaming.pipeline import Pipeline, PipelineParts
from app.services.streaming.poller import Poller
from app.services.streaming.sources import SourceSwitch
from app.services.streaming.stages import Stages
from app.services.streaming.watcher import Watcher
from app.services.streaming.worker import Past, StreamWorker, WorkerParts
