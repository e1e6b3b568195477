//! The suite is tested here: a store that keeps every rule passes, and every fault is caught by the case of its rule.
//!
//! `expected.txt` says which cases each fault fails, exactly; a fault that fails everything would prove nothing. `RACE-03?` stands where
//! tasks that call as they please meet the fault by luck: a rotation behind a later touch, in one run of three not at all.
//! After a change of the suite, `UPDATE_EXPECTED=1 cargo test -p conformance-tests --test mutants` writes it anew, to be read.

mod fault;
mod specimen;
mod state;
mod wired;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use conformance_tests::{Damage, Outage, Report, Rule, Space, Suite};
use libtest_mimic::{Arguments, Failed, Trial};
use session_core::{BoxError, Clock as _, SessionKey};

use crate::fault::{ALL, Fault};
use crate::specimen::{Specimen, World};
use crate::state::{How, State};

fn main() -> ExitCode {
    if Suite::is_second_process() {
        return second_process().main();
    }
    // A specimen that panics on purpose shall not fill the screen; what it says is in the report.
    let report_panic = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<String>().map(String::as_str) != Some(state::PANIC) {
            report_panic(panic);
        }
    }));
    let arguments = Arguments::from_args();
    let seen: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let mut trials = vec![
        Trial::test("the contract, the cases and the faults name the same rules", names_agree),
        Trial::test("a store that keeps every rule passes in memory", || passes(&in_memory(Fault::None).report()?)),
        Trial::test("a store that keeps every rule passes over lines", || passes(&wired::suite(Fault::None).report()?)),
        Trial::test("a store that keeps every rule passes in files", || {
            // The files of the specimens are read and written whole: for the rules about processes that is fast enough.
            passes(&in_files(Fault::None).report_of("PEER")?)?;
            passes(&in_files(Fault::None).report_of("REOPEN")?)
        }),
    ];
    for &(fault, rule) in ALL {
        let seen = Arc::clone(&seen);
        trials.push(Trial::test(format!("{fault:?} is caught by {rule}"), move || {
            let failed = failed_rules(fault)?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{fault:?}"), failed.join(" "));
            is_caught(fault, rule, &failed)
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = ALL
            .iter()
            .filter_map(|(fault, _)| seen.get(&format!("{fault:?}")).map(|rules| format!("{fault:?}: {rules}\n")))
            .collect();
        std::fs::write(expected_path(), lines.concat()).expect("the crate's folder can be written");
    }
    conclusion.exit_code()
}

fn expected_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutants/expected.txt")
}

/// Runs the suite on a specimen with a fault; those about processes need specimens that share files.
fn failed_rules(fault: Fault) -> Result<Vec<&'static str>, BoxError> {
    let reports = match fault {
        Fault::ProcessesCacheEverything | Fault::WritesAreBuffered => {
            vec![in_files(fault).report_of("PEER")?, in_files(fault).report_of("REOPEN")?]
        }
        // These take their time: the case of the rule alone.
        _ if fault.is_wired() => {
            let rule = ALL.iter().find(|(one, _)| *one == fault).map_or("", |(_, rule)| rule);
            vec![wired::suite(fault).report_of(rule)?]
        }
        _ => vec![in_memory(fault).report()?],
    };
    Ok(reports.iter().flat_map(Report::failures).map(|(rule, _)| rule.id).collect())
}

fn is_caught(fault: Fault, rule: &str, failed: &[&str]) -> Result<(), Failed> {
    if !failed.contains(&rule) {
        return Err(format!("{rule} is not among the cases that failed: {failed:?}").into());
    }
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        return Ok(());
    }
    let expected = include_str!("expected.txt");
    let line = expected.lines().find_map(|line| line.strip_prefix(&format!("{fault:?}: ")));
    let line = line.ok_or("expected.txt has no line for this fault")?;
    let (lucky, wanted): (Vec<&str>, Vec<&str>) = line.split(' ').partition(|rule| rule.ends_with('?'));
    let (wanted, mut seen): (BTreeSet<&str>, BTreeSet<&str>) =
        (wanted.into_iter().collect(), failed.iter().copied().collect());
    seen.retain(|rule| wanted.contains(rule) || !lucky.iter().any(|lucky| lucky.trim_end_matches('?') == *rule));
    if wanted == seen { Ok(()) } else { Err(format!("the cases that failed are {seen:?}, and not {wanted:?}").into()) }
}

fn passes(report: &Report) -> Result<(), Failed> {
    if report.is_success() { Ok(()) } else { Err(report.to_table().into()) }
}

fn names_agree() -> Result<(), Failed> {
    let rules: BTreeSet<&str> = Rule::all().iter().map(|rule| rule.id).collect();
    let faults: BTreeSet<&str> = ALL.iter().map(|(_, rule)| *rule).collect();
    let cases: BTreeSet<&str> = conformance_tests::case_ids().collect();
    if rules.len() != Rule::all().len() || cases.len() != conformance_tests::case_ids().count() {
        return Err("a rule or a case is there twice".into());
    }
    if rules != cases || rules != faults {
        let (no_case, no_fault): (Vec<_>, Vec<_>) =
            (rules.difference(&cases).collect(), rules.difference(&faults).collect());
        let (no_rule, wrong): (Vec<_>, Vec<_>) =
            (cases.difference(&rules).collect(), faults.difference(&rules).collect());
        return Err(format!(
            "without case: {no_case:?}, without fault: {no_fault:?}, without rule: {no_rule:?} {wrong:?}"
        )
        .into());
    }
    Ok(())
}

/// A suite for specimens in memory: each case has a backend of its own, so that one that a fault damages harms no other.
fn in_memory(fault: Fault) -> Suite {
    let worlds: Arc<Mutex<HashMap<usize, Arc<World>>>> = Arc::default();
    let world = move |space: &Space| {
        // All spaces of a case share its clock, and nothing else that tells cases apart.
        let case = Arc::as_ptr(&space.clock()).addr();
        Arc::clone(worlds.lock().unwrap_or_else(PoisonError::into_inner).entry(case).or_default())
    };
    with_hooks(fault, world)
}

/// A suite for specimens that share a file with other processes.
fn in_files(fault: Fault) -> Suite {
    let world = move |space: &Space| {
        let file = file_of(space);
        std::fs::write(file.with_extension("fault"), format!("{fault:?}")).expect("the test's folder can be written");
        Arc::new(World::in_file(file))
    };
    with_hooks(fault, world).spans_processes()
}

/// The suite of the second process, which finds in a file which fault it shall have.
fn second_process() -> Suite {
    Suite::new("second process", |space: Space| async move {
        let file = file_of(&space);
        let name = std::fs::read_to_string(file.with_extension("fault"))?;
        let fault = ALL.iter().find(|(fault, _)| format!("{fault:?}") == name).map_or(Fault::None, |(fault, _)| *fault);
        Ok(Specimen::open(Arc::new(World::in_file(file)), &space, fault))
    })
}

/// The file of a case: its namespaces begin alike, and a hostile one needs no second process.
fn file_of(space: &Space) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("specimens");
    std::fs::create_dir_all(&folder).expect("the test's folder can be written");
    let parts = space.namespace().split('_').take(4).filter(|part| part.chars().all(|c| c.is_ascii_alphanumeric()));
    folder.join(format!("{}.json", parts.collect::<Vec<_>>().join("_")))
}

fn with_hooks(fault: Fault, world_of: impl Fn(&Space) -> Arc<World> + Send + Sync + 'static) -> Suite {
    let world_of = Arc::new(world_of);
    let of = || Arc::clone(&world_of);
    let (opened, aged, raw, damaged, counted, out, locked) = (of(), of(), of(), of(), of(), of(), of());
    let (collected, shown, worked, filled, replaced) = (of(), of(), of(), of(), of());
    let suite = Suite::new(format!("{fault:?}"), move |space: Space| {
        let world = opened(&space);
        async move {
            if fault == Fault::OpeningWaitsForLocks {
                world.wait_for_all().await;
            }
            Ok(Specimen::open(world, &space, fault))
        }
    })
    .reopens()
    .with_limit(Duration::from_secs(if fault == Fault::NeverAnswersAnEarlierTouch { 10 } else { 60 }))
    .ages(move |space: Space, key: SessionKey, by: Duration| {
        let world = aged(&space);
        async move {
            world.step(fault, |namespaces| {
                let state = namespaces.entry(space.namespace().to_owned()).or_default();
                if let Some(row) = state.rows.get(key.as_str()) {
                    let expires_at = row.expires_at - i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                    state.set_expiry(key.as_str(), expires_at);
                }
            });
            Ok(())
        }
    })
    .shows_raw(move |space: Space| {
        let world = raw(&space);
        async move {
            Ok(world.step(fault, |namespaces| {
                let Some(state) = namespaces.get(space.namespace()) else { return Vec::new() };
                state.rows.iter().map(|(name, row)| format!("{name}: {row:?}")).chain(state.leftovers.clone()).collect()
            }))
        }
    })
    .damages(move |space: Space, key: SessionKey, damage: Damage| {
        let world = damaged(&space);
        async move {
            world.step(fault, |namespaces| {
                let row = namespaces.get_mut(space.namespace()).and_then(|state| state.rows.get_mut(key.as_str()));
                match (row, damage) {
                    (Some(row), Damage::Data(text)) => row.data = text.to_owned(),
                    (Some(row), _) => row.format = 99,
                    (None, _) => {}
                }
            });
            Ok(())
        }
    })
    .collects_now(move |space: Space| {
        let (world, now) = (collected(&space), space.clock().now().unix_millis());
        async move {
            world.step(fault, |namespaces| namespaces.values_mut().for_each(|state| state.collect(How { fault, now })));
            Ok(())
        }
    })
    .fills(move |space: Space, what: Outage| {
        let world = filled(&space);
        async move {
            world.step(fault, |namespaces| {
                namespaces.entry(space.namespace().to_owned()).or_default().is_full = what == Outage::Begin;
            });
            Ok(())
        }
    })
    .replaces(move |space: Space| {
        let world = replaced(&space);
        async move {
            world.step(fault, |namespaces| {
                let state = namespaces.entry(space.namespace().to_owned()).or_default();
                let age = state.age + 1;
                *state = State::default();
                state.age = age;
            });
            Ok(())
        }
    })
    .shows_bytes(move |space: Space| {
        let world = shown(&space);
        async move {
            let of = |state: &State| format!("{:?} {:?}", state.rows, state.residue).into_bytes();
            Ok(world.step(fault, |namespaces| namespaces.values().map(of).collect()))
        }
    })
    .passes_gate()
    .counts_round_trips(move |space: Space| {
        let world = counted(&space);
        async move { Ok(world.trips.load(std::sync::atomic::Ordering::Relaxed)) }
    })
    .survives_outage(move |space: Space, outage: Outage| {
        let world = out(&space);
        async move {
            world.step(fault, |namespaces| {
                namespaces.entry(space.namespace().to_owned()).or_default().is_down = outage == Outage::Begin;
            });
            Ok(())
        }
    });
    // What takes its time is not for those that other rules catch.
    if !fault.takes_time() {
        return suite;
    }
    let suite = suite.locks(move |space: Space, key: SessionKey| {
        let lock = locked(&space).lock_of(space.namespace(), key.as_str());
        async move { Ok(lock.lock_owned().await) }
    });
    suite.counts_work(move |space: Space| {
        let world = worked(&space);
        async move { Ok(world.step(fault, |namespaces| namespaces.get(space.namespace()).map_or(0, |state| state.work))) }
    })
}
