<?php
// Answers 200 only while nginx, php-fpm and MariaDB all work.
try {
    $shop = new PDO('mysql:host=localhost;dbname=shop', 'shop', 'shop');
    echo $shop->query('SELECT name FROM goods')->fetchColumn(), "\n";
} catch (PDOException $e) {
    http_response_code(503);
    echo "no database\n";
}
