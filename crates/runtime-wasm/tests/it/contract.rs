use crate::programs;
use crate::world::World;
use eventflow_domain::Mode;
use eventflow_testkit::contract::runtime::Suite;

fn suite() -> Suite {
    let world = World::new();
    let runtime = std::sync::Arc::clone(&world.runtime);
    Suite::new(runtime, move |program| world.version(programs::of(program), Mode::Job))
}

eventflow_testkit::runtime_suite!(suite());
