//! Calls that make several round trips, held up in every gap between them while another call runs through.

mod scene;

use crate::bench::Bench;
use crate::case::{Case, Level};
use crate::check::Outcome;
use crate::hooks::Need;

use scene::Scene;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("GAP-01", Level::Gaps, &[Need::Gaps, Need::Opening, Need::Time], gap_01)]
}

/// The keys of a scene: the first one is stored when it begins, the others are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    K,
    New,
    Other,
}

use Name::{K, New, Other};

const NAMES: [Name; 3] = [K, New, Other];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Create(Name),
    Load(Name),
    Update(Name),
    Touch(Name),
    Rotate(Name, Name),
    /// With a revision that never was.
    RotateStale(Name, Name),
    Delete(Name),
    DeleteOwned,
    Sweep,
    List,
    Count,
    /// The end of all sessions passes.
    Expire,
}

const CALLS: [Call; 20] = [
    Call::Create(K),
    Call::Create(New),
    Call::Load(K),
    Call::Load(New),
    Call::Update(K),
    Call::Update(New),
    Call::Touch(K),
    Call::Touch(New),
    Call::Rotate(K, New),
    Call::Rotate(K, Other),
    Call::Rotate(New, Other),
    Call::Rotate(Other, New),
    Call::RotateStale(K, New),
    Call::Delete(K),
    Call::Delete(New),
    Call::DeleteOwned,
    Call::Sweep,
    Call::List,
    Call::Count,
    Call::Expire,
];

/// Those that are held up. What a listing of several parts shows of a session that moves meanwhile is not promised.
fn held_up() -> impl Iterator<Item = Call> {
    CALLS.into_iter().filter(|call| !matches!(call, Call::List | Call::Count | Call::Expire))
}

/// What there is when a scene begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// A session under K.
    Live,
    /// The same, and it has expired.
    Expired,
    /// The same as the first, and an expired one under New.
    Taken,
}

impl Start {
    /// Returns in how many gaps a call meets every other one. A call with more goes from one part of the backend to the next;
    /// its later gaps are alike, and each meets one of the calls.
    fn thorough(self) -> u64 {
        if self == Self::Live { 4 } else { 1 }
    }

    /// Says whether the call may go another way than it does at the other starts.
    fn matters_to(self, call: Call) -> bool {
        let is_about_new = matches!(call, Call::Create(New) | Call::Rotate(_, New) | Call::RotateStale(_, New));
        self != Self::Taken || is_about_new
    }
}

async fn gap_01(b: Bench) -> Outcome {
    let (mut number, mut gated) = (0, None);
    for start in [Start::Live, Start::Expired, Start::Taken] {
        for held in held_up().filter(|call| start.matters_to(*call)) {
            'gaps: for trips in 1.. {
                for (turn, meanwhile) in CALLS.into_iter().enumerate() {
                    if trips > start.thorough() && trips % CALLS.len() as u64 != turn as u64 {
                        continue;
                    }
                    for dies in [false, true] {
                        number += 1;
                        let scene = Scene { b: &b, number, start, held, trips, meanwhile, dies };
                        if !scene.play(&mut gated).await? {
                            break 'gaps;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
