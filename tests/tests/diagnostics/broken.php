<?php
// A plugin that breaks in the way that it is asked for.
switch ($_GET['how'] ?? '') {
    case 'slow':
        while (file_exists('/run/slow')) {
            usleep(10000);
            clearstatcache();
        }
        break;
    case 'crash':
        posix_kill(posix_getpid(), 11);
        break;
    case 'memory':
        ini_set('memory_limit', '8M');
        str_repeat('x', 32 << 20);
        break;
    case 'time':
        set_time_limit(1);
        while (true);
    case 'fatal':
        a_function_of_another_version();
}
