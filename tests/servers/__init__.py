"""Real servers for tests and benchmarks: Apache Kafka and InfluxDB, pinned, on free ports.

``make servers`` brings them onto the machine; `KafkaServer` and `InfluxServer` start and stop them.
"""

from tests.servers.influx import InfluxServer
from tests.servers.installs import ServerMissing
from tests.servers.kafka import KafkaServer
from tests.servers.server import ServerFailed

__all__ = ["InfluxServer", "KafkaServer", "ServerFailed", "ServerMissing"]
