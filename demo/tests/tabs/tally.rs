//! What is counted.

use std::fmt;
use std::ops::AddAssign;

/// The sum of many visits.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) visits: usize,
    /// Items, logins and logouts that were answered with success.
    pub(crate) items: usize,
    pub(crate) logins: usize,
    pub(crate) logouts: usize,
    /// Requests that were answered with a 409: the client knows that nothing came of them.
    pub(crate) refused: usize,
    /// Requests that were answered with any other error.
    pub(crate) failed: usize,
    /// Items that were answered with success and are not in the cart.
    pub(crate) lost: usize,
    /// Visits with such an item.
    pub(crate) lost_carts: usize,
    /// Items that are in a cart twice.
    pub(crate) twice: usize,
    /// Items in a cart whose request was not answered with success. Nobody was promised that they are not there.
    pub(crate) unpromised: usize,
    /// Items of other visitors in a cart, and visitors who were another user.
    pub(crate) foreign: usize,
    /// Live sessions of a user beyond the one that the browser has.
    pub(crate) out_of_reach: usize,
    /// Browsers that were not logged in at the end, for answers overtook each other. They log in again.
    pub(crate) logged_out: usize,
    /// Cookies from before a logout that was answered with success.
    pub(crate) earlier_cookies: usize,
    /// Those of them that let in as the user.
    pub(crate) let_in: usize,
}

impl Tally {
    /// Checks that nothing which was answered with success was lost, or done twice, or let anybody in.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let wrong: Vec<_> = self.wrong().into_iter().filter(|&(_, count)| count > 0).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    fn ordinary(&self) -> [(&'static str, usize); 9] {
        [
            ("visits", self.visits),
            ("items answered with success", self.items),
            ("logins answered with success", self.logins),
            ("logouts answered with success", self.logouts),
            ("requests refused with 409", self.refused),
            ("visits that lost items", self.lost_carts),
            ("items in the cart without a success", self.unpromised),
            ("browsers that had to log in again", self.logged_out),
            ("cookies from before a logout", self.earlier_cookies),
        ]
    }

    /// What there must be none of.
    fn wrong(&self) -> [(&'static str, usize); 6] {
        [
            ("requests that failed otherwise", self.failed),
            ("items answered with success, and lost", self.lost),
            ("items in the cart twice", self.twice),
            ("somebody else's items or names", self.foreign),
            ("sessions out of reach", self.out_of_reach),
            ("cookies from before a logout that let in", self.let_in),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.visits += other.visits;
        self.items += other.items;
        self.logins += other.logins;
        self.logouts += other.logouts;
        self.refused += other.refused;
        self.failed += other.failed;
        self.lost += other.lost;
        self.lost_carts += other.lost_carts;
        self.twice += other.twice;
        self.unpromised += other.unpromised;
        self.foreign += other.foreign;
        self.out_of_reach += other.out_of_reach;
        self.logged_out += other.logged_out;
        self.earlier_cookies += other.earlier_cookies;
        self.let_in += other.let_in;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ordinary = self.ordinary().into_iter().filter(|&(_, count)| count > 0);
        ordinary.chain(self.wrong()).try_for_each(|(name, count)| writeln!(f, "{count:>8}  {name}"))
    }
}
