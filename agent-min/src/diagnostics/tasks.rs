//! Every check of a run, with the areas that it belongs to.

use secmon_diag::Notes;
use secmon_diag::host::Host;
use secmon_diag::stack::Stack;

use super::pool::Task;

/// All of them, those that wait longest first.
pub(super) const TASKS: &[Task] = &[];

/// Finds the software that the checks are about.
pub(super) fn discover(_host: &dyn Host, _notes: &mut Notes) -> Stack {
    Stack::default()
}
