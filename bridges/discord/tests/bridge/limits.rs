//! Limits that Discord counts for the whole bot, whichever channel the call was for.

use crate::{
    discord::{Fault, GENERAL},
    guilds::TOOLS,
    world::World,
};

fn contents(world: &World) -> Vec<String> {
    world.discord.said().into_iter().map(|(_, content)| content).collect()
}

#[test]
fn a_limit_of_the_whole_bot_stops_every_channel() {
    for (seed, fault, wait) in [(60, Fault::GlobalLimit, 121_000), (61, Fault::Banned, 601_000)] {
        let world = World::connected(seed);
        let (general, tools) = (world.bridge(GENERAL), world.bridge(TOOLS));
        world.send(&general, "1", "one");
        world.send(&tools, "1", "two");
        world.discord.faults.borrow_mut().push(fault);
        world.send(&general, "2", "three");
        let before: usize = world.discord.calls.borrow().values().sum();
        world.send(&tools, "2", "four");
        world.send(&general, "3", "five");
        let after: usize = world.discord.calls.borrow().values().sum();
        assert_eq!(before, after, "{fault:?}: no call while all have to wait");
        // Nor by an object that has just woken.
        world.server.crash(&world.login_address());
        world.send(&tools, "3", "six");
        assert_eq!(world.discord.calls.borrow().values().sum::<usize>(), after, "{fault:?}");
        world.server.advance(wait);
        world.server.advance(60_000);
        let mut said = contents(&world);
        said.sort();
        assert_eq!(said, ["five", "four", "one", "six", "three", "two"], "{fault:?}");
    }
}

#[test]
fn a_limit_of_one_channel_stops_no_other() {
    let world = World::connected(62);
    let (general, tools) = (world.bridge(GENERAL), world.bridge(TOOLS));
    world.send(&tools, "1", "one");
    world.discord.faults.borrow_mut().push(Fault::RateLimited);
    world.send(&general, "1", "two");
    world.send(&tools, "2", "three");
    assert_eq!(contents(&world), ["one", "three"]);
    world.server.advance(5_000);
    assert_eq!(contents(&world), ["one", "three", "two"]);
}
