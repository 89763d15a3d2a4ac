use super::*;
use proptest::prelude::*;

const BOUNDS: TurnBounds = TurnBounds { running_max: 3, tenant_running_max: 2, waiting_max: 1_000 };

fn turns(bounds: TurnBounds) -> Turns<Tenant> {
    Turns::new(bounds)
}

fn arrive(turns: &mut Turns<Tenant>, site: u32) -> bool {
    let tenant = Tenant::Site(site);
    turns.arrive(&tenant, tenant.clone()) == Arrival::Go
}

#[test]
fn a_hundred_of_one_tenant_leave_a_turn_for_another() {
    let mut turns = turns(BOUNDS);
    let begun = (0..100).filter(|_| arrive(&mut turns, 1)).count();
    assert_eq!((begun, turns.waiting()), (2, 98), "one turn is kept from it");
    assert!(arrive(&mut turns, 2), "and is another's at once");
    assert!(!arrive(&mut turns, 2), "now all are taken");
    assert_eq!(turns.leave(&Tenant::Site(1), 5_000), [Tenant::Site(2)], "the next free turn is not the crowd's");
    assert_eq!(turns.leave(&Tenant::Site(2), 5_000), [Tenant::Site(1)]);
}

#[test]
fn who_was_away_begins_where_the_others_are() {
    let mut turns = turns(TurnBounds { running_max: 1, tenant_running_max: 1, waiting_max: 1_000 });
    assert!(arrive(&mut turns, 1));
    for _ in 0..100 {
        arrive(&mut turns, 1);
        assert_eq!(turns.leave(&Tenant::Site(1), 1_000_000), [Tenant::Site(1)]);
    }
    (0..10).for_each(|_| {
        arrive(&mut turns, 1);
        arrive(&mut turns, 2);
    });
    let mut order = Vec::new();
    let mut running = Tenant::Site(1);
    while let Some(next) = turns.leave(&running, 10_000).pop() {
        running = next.clone();
        order.push(next);
    }
    let ahead = order.iter().take(10).filter(|tenant| **tenant == Tenant::Site(2)).count();
    assert!((4..=6).contains(&ahead), "both have their share, and not one all of it: {order:?}");
}

#[test]
fn the_longest_line_makes_place() {
    let mut turns = turns(TurnBounds { running_max: 1, tenant_running_max: 1, waiting_max: 4 });
    assert!(arrive(&mut turns, 1));
    (0..4).for_each(|_| assert!(!arrive(&mut turns, 1)));
    let one = Tenant::Site(1);
    assert_eq!(turns.arrive(&one, one.clone()), Arrival::Full, "its own line is the longest");
    let two = Tenant::Site(2);
    assert!(matches!(turns.arrive(&two, two.clone()), Arrival::Waits(_, Some(Tenant::Site(1)))));
    assert!(matches!(turns.arrive(&two, two.clone()), Arrival::Waits(_, Some(Tenant::Site(1)))));
    assert_eq!(turns.arrive(&two, two.clone()), Arrival::Full, "both lines are as long");
    assert_eq!(turns.waiting(), 4);
}

#[test]
fn nothing_is_remembered_of_those_who_left() {
    let mut turns = turns(BOUNDS);
    for site in 0..1_000 {
        assert!(arrive(&mut turns, site));
        turns.leave(&Tenant::Site(site), u64::from(site) * 100);
    }
    assert_eq!((turns.lanes.len(), turns.running(), turns.waiting()), (0, 0, 0));
}

/// Something that happens to the queue.
#[derive(Clone, Debug)]
enum Step {
    Arrive(u32),
    /// One of those who run leaves, after so long.
    Leave(usize, u64),
    /// One of those who wait goes away.
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u32..5).prop_map(Step::Arrive),
        3 => (0_usize..9, 0_u64..50_000).prop_map(|(index, took_us)| Step::Leave(index, took_us)),
        1 => (0_usize..99).prop_map(Step::GiveUp),
    ]
}

proptest! {
    /// Bounds hold, nobody is lost, and no turn is free while somebody waits who may have it.
    #[test]
    fn every_turn_is_used_and_nobody_is_lost(
        steps in prop::collection::vec(step(), 1..200),
        (running_max, tenant_running_max, waiting_max) in (1_usize..5, 1_usize..4, 0_usize..12),
    ) {
        let mut turns = Turns::<(Tenant, u64)>::new(TurnBounds { running_max, tenant_running_max, waiting_max });
        let (mut running, mut waiting) = (Vec::<Tenant>::new(), Vec::<(Tenant, u64, u64)>::new());
        let mut number = 0;
        for step in steps {
            match step {
                Step::Arrive(site) => {
                    number += 1;
                    let tenant = Tenant::Site(site);
                    match turns.arrive(&tenant, (tenant.clone(), number)) {
                        Arrival::Go => running.push(tenant),
                        Arrival::Waits(ticket, displaced) => {
                            if let Some((_, displaced)) = displaced {
                                waiting.retain(|(_, number, _)| *number != displaced);
                            }
                            waiting.push((tenant, number, ticket));
                        }
                        Arrival::Full => {}
                    }
                }
                Step::Leave(index, took_us) if !running.is_empty() => {
                    let tenant = running.remove(index % running.len());
                    for (tenant, number) in turns.leave(&tenant, took_us) {
                        let before = waiting.len();
                        // The first of its own line.
                        let first = waiting.iter().find(|(waits, ..)| *waits == tenant).map(|(_, number, _)| *number);
                        prop_assert_eq!(first, Some(number));
                        waiting.retain(|(_, waits, _)| *waits != number);
                        prop_assert_eq!(waiting.len(), before - 1);
                        running.push(tenant);
                    }
                }
                Step::GiveUp(index) if !waiting.is_empty() => {
                    let (tenant, _, ticket) = waiting.remove(index % waiting.len());
                    prop_assert!(turns.give_up(&tenant, ticket));
                    prop_assert!(!turns.give_up(&tenant, ticket));
                }
                Step::Leave(..) | Step::GiveUp(_) => {}
            }
            prop_assert_eq!((turns.running(), turns.waiting()), (running.len(), waiting.len()));
            let of = |tenant: &Tenant| running.iter().filter(|running| *running == tenant).count();
            prop_assert!(running.len() <= running_max && waiting.len() <= waiting_max);
            prop_assert!(running.iter().all(|tenant| of(tenant) <= tenant_running_max));
            if running.len() < running_max {
                prop_assert!(waiting.iter().all(|(tenant, ..)| of(tenant) == tenant_running_max), "a turn is free");
            }
        }
    }

    /// Whatever their turns cost, tenants that always wait get equal time, up to the longest turns: however many of theirs wait.
    #[test]
    fn time_is_shared_equally(costs in prop::collection::vec(1_000_u64..50_000, 3), crowd in 1_usize..100) {
        let mut turns = turns(TurnBounds { running_max: 1, tenant_running_max: 1, waiting_max: 1_000 });
        let mut running = Tenant::System;
        turns.arrive(&Tenant::System, Tenant::System);
        for site in 0..3 {
            // The first one comes with a crowd, the others one by one.
            (0..if site == 0 { crowd } else { 1 }).for_each(|_| { arrive(&mut turns, site); });
        }
        let mut used = [0; 3];
        let mut cost = 0;
        for _ in 0..600 {
            let woken = turns.leave(&running, cost);
            prop_assert_eq!(woken.len(), 1);
            running = woken[0].clone();
            let Tenant::Site(site) = running else { return Err(TestCaseError::fail("only sites wait")) };
            cost = costs[site as usize];
            used[site as usize] += cost;
            // Whoever has his turn asks again at once.
            arrive(&mut turns, site);
        }
        let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
        prop_assert!(most - least <= 2 * 50_000, "{used:?}");
    }
}
