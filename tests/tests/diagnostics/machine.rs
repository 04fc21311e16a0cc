//! Faults of the machine: disks, network, names, clock, memory, processors, and the system's own services.

use crate::{Fault, try_faults};

const MACHINE: &[Fault] = &[];

#[test]
fn faults_of_the_machine() {
    try_faults("machine", MACHINE);
}
