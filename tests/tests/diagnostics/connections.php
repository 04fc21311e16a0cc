<?php
// Holds as many connections to the database as it is told, until it is stopped.
for ($n = 0; $n < $argv[1]; $n++) {
    $all[] = new PDO('mysql:host=localhost', 'shop', 'shop');
}
touch('/run/held');
sleep(600);
