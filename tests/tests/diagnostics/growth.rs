//! Faults that show by what grew since the control plane looked before.

use secmon_tests::testbed::Guest;

use crate::{DATABASE_USER, Eyes, Fault, fault, host_and_plane, try_faults_seen};

pub(crate) const GROWTH: &[Fault] = &[
    // Nobody accepts, and one connection may wait.
    fault(
        "net-listen-overflow",
        "systemd-run --quiet --unit narrow php -r '
            $cache = stream_socket_server(\"tcp://127.0.0.1:6379\", $number, $error,
                STREAM_SERVER_BIND | STREAM_SERVER_LISTEN,
                stream_context_create([\"socket\" => [\"backlog\" => 1]]));
            for (; count($clients ??= []) < 300; $clients[] = stream_socket_client(\"tcp://127.0.0.1:6379\",
                $number, $error, 1, STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT));
            sleep(1000);'",
        "systemctl stop narrow",
    ),
    fault(
        "db-slow-rate",
        "{ echo 'SET long_query_time = 0;'; yes 'SELECT 1;' | head -n 300; } | mariadb >/dev/null",
        "true",
    ),
    fault(
        "db-tmp-disk",
        "{ echo 'SET tmp_memory_table_size = 0;'
        yes 'SELECT name, COUNT(*) FROM shop.goods GROUP BY name ORDER BY 2;' | head -n 3000; } | mariadb >/dev/null",
        "true",
    ),
];

pub(crate) fn on_a_host(faults: &[Fault]) {
    let Some((bed, plane)) = host_and_plane(Guest::Systemd, "growth") else { return };
    bed.shell(DATABASE_USER);
    try_faults_seen(&bed, &Eyes::Plane(&plane, "all"), faults);
}
