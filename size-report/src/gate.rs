//! Whether a size may go in.
//!
//! Pure: sizes in, a verdict out. The budget is the table's and has no exception. The baseline stops growth
//! that nobody looked at: more than one percent passes only when the same change writes the new size into the
//! baseline, where a reviewer sees it. An updated baseline that still doesn't say what was weighed is no
//! excuse, so touching the file alone opens nothing.

/// The sizes that one target is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) bytes: u64,
    pub(crate) budget: u64,
    /// In the baseline of the change itself.
    pub(crate) baseline: Option<u64>,
    /// In the baseline of what the change is based on; the same as `baseline` if that wasn't touched.
    pub(crate) earlier: Option<u64>,
}

/// What becomes of a size.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// In the budget and near the baseline.
    Within,
    /// Grew by more than one percent, and the baseline was updated in the same change to say so.
    Accepted {
        growth: u64,
    },
    OverBudget {
        excess: u64,
    },
    OverBaseline {
        growth: u64,
    },
    /// The baseline doesn't know the target, so nothing would stop its growth.
    NoBaseline,
}

impl Verdict {
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Within | Self::Accepted { .. } => true,
            Self::OverBudget { .. } | Self::OverBaseline { .. } | Self::NoBaseline => false,
        }
    }
}

/// Judges one target.
pub(crate) fn judge(sizes: Sizes) -> Verdict {
    if sizes.bytes > sizes.budget {
        return Verdict::OverBudget { excess: sizes.bytes - sizes.budget };
    }
    let Some(baseline) = sizes.baseline else { return Verdict::NoBaseline };
    if let Some(growth) = growth(sizes.bytes, baseline) {
        return Verdict::OverBaseline { growth };
    }
    match sizes.earlier.and_then(|earlier| growth(sizes.bytes, earlier)) {
        Some(growth) => Verdict::Accepted { growth },
        None => Verdict::Within,
    }
}

/// By how much a size is above another one, if that is more than one percent.
fn growth(bytes: u64, than: u64) -> Option<u64> {
    let grown = bytes.checked_sub(than)?;
    (grown.saturating_mul(100) > than).then_some(grown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(bytes: u64, baseline: u64) -> Sizes {
        Sizes { bytes, budget: 1_200_000, baseline: Some(baseline), earlier: Some(baseline) }
    }

    #[test]
    fn the_budget_is_inclusive_and_has_no_exception() {
        assert_eq!(judge(sizes(1_200_000, 1_200_000)), Verdict::Within);
        assert_eq!(judge(sizes(1_200_001, 1_200_001)), Verdict::OverBudget { excess: 1 });
        let updated = Sizes { earlier: Some(1_000_000), ..sizes(1_200_001, 1_200_001) };
        assert_eq!(judge(updated), Verdict::OverBudget { excess: 1 });
    }

    #[test]
    fn one_percent_passes_and_one_byte_more_does_not() {
        assert_eq!(judge(sizes(1_010_000, 1_000_000)), Verdict::Within);
        assert_eq!(judge(sizes(1_010_001, 1_000_000)), Verdict::OverBaseline { growth: 10_001 });
    }

    #[test]
    fn twenty_thousand_bytes_more_are_stopped_at_any_size_near_the_budget() {
        for size in [700_000, 1_000_000, 1_150_000] {
            assert_eq!(judge(sizes(size + 20_000, size)), Verdict::OverBaseline { growth: 20_000 });
        }
    }

    #[test]
    fn growth_passes_when_the_same_change_updates_the_baseline() {
        let updated = Sizes { earlier: Some(1_000_000), ..sizes(1_020_000, 1_020_000) };
        assert_eq!(judge(updated), Verdict::Accepted { growth: 20_000 });
    }

    #[test]
    fn a_baseline_that_was_touched_but_not_updated_to_the_size_opens_nothing() {
        let touched = Sizes { earlier: Some(990_000), ..sizes(1_050_000, 1_000_000) };
        assert_eq!(judge(touched), Verdict::OverBaseline { growth: 50_000 });
    }

    #[test]
    fn shrinking_passes() {
        assert_eq!(judge(sizes(1, 1_000_000)), Verdict::Within);
    }

    #[test]
    fn a_target_without_a_baseline_is_stopped_and_passes_once_it_is_entered() {
        let unknown = Sizes { baseline: None, earlier: None, ..sizes(900_000, 0) };
        assert_eq!(judge(unknown), Verdict::NoBaseline);
        let entered = Sizes { earlier: None, ..sizes(900_000, 900_000) };
        assert_eq!(judge(entered), Verdict::Within);
    }
}
