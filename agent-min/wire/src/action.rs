//! What can be approved, what an agent can run, and what a diagnostic run can look at: closed lists.

use core::fmt;

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The entry with this name.
            pub fn new(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name as it stands in messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

closed_list! {
    /// What an operator can approve. A new entry needs code, a capability and tests.
    ActionId {
        RestartWeb = "restart-web",
        RestartPhp = "restart-php",
        RestartDb = "restart-db",
        CfUnderAttack = "cf-under-attack",
        CfManagedChallenge = "cf-managed-challenge",
        CfTargetedBlock = "cf-targeted-block",
        CfPatternBlock = "cf-pattern-block",
        CfRateLimit = "cf-rate-limit",
        EnableCfAuto = "enable-cf-auto",
        DisableCfAuto = "disable-cf-auto",
        CfRestore = "cf-restore",
    }
}

closed_list! {
    /// What an agent can run. Its names sort as its variants do.
    OperationId {
        RestartDb = "restart-db",
        RestartPhp = "restart-php",
        RestartWeb = "restart-web",
    }
}

closed_list! {
    /// An area of read-only diagnostics. Its names sort as its variants do.
    Area {
        Db = "db",
        Disk = "disk",
        Flood = "flood",
        Http = "http",
        Net = "net",
        Php = "php",
        System = "system",
        Tls = "tls",
        Web = "web",
    }
}

impl ActionId {
    /// The agent's operation behind this action; `None` for what Cloudflare or the control plane does.
    pub const fn operation(self) -> Option<OperationId> {
        match self {
            Self::RestartWeb => Some(OperationId::RestartWeb),
            Self::RestartPhp => Some(OperationId::RestartPhp),
            Self::RestartDb => Some(OperationId::RestartDb),
            Self::CfUnderAttack
            | Self::CfManagedChallenge
            | Self::CfTargetedBlock
            | Self::CfPatternBlock
            | Self::CfRateLimit
            | Self::EnableCfAuto
            | Self::DisableCfAuto
            | Self::CfRestore => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for action in ActionId::ALL {
            assert_eq!(ActionId::new(action.as_str()), Some(*action));
        }
        for operation in OperationId::ALL {
            assert_eq!(OperationId::new(operation.as_str()), Some(*operation));
            let action = ActionId::new(operation.as_str()).expect("every operation is an action");
            assert_eq!(action.operation(), Some(*operation));
        }
        assert_eq!(ActionId::new("restart"), None);
        assert_eq!(OperationId::new("cf-restore"), None);
    }

    #[test]
    fn variants_of_lists_on_the_wire_sort_as_their_names_do() {
        assert!(OperationId::ALL.is_sorted_by_key(|o| o.as_str()));
        assert!(Area::ALL.is_sorted_by_key(|a| a.as_str()));
    }
}
