//! Faults of PHP, of the database, and of WordPress.

use crate::{Fault, fault, try_faults};

const PHP_AND_DATABASE: &[Fault] = &[
    fault("php-down-nosock", "systemctl stop php8.2-fpm", "systemctl start php8.2-fpm"),
    fault("db-down", "systemctl stop mariadb", "systemctl start mariadb"),
];

#[test]
fn faults_of_php_and_the_database() {
    try_faults("phpdb", PHP_AND_DATABASE);
}
