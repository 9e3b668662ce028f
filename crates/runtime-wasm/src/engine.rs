//! The one engine: how guests are compiled and where their memory comes from.

use crate::config::WasmConfig;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
};

/// Memories, tables and core instances that one call may hold.
pub(crate) const MEMORIES: u32 = 2;
pub(crate) const TABLES: u32 = 16;
pub(crate) const CORE_INSTANCES: u32 = 64;
/// Elements of one table.
pub(crate) const TABLE_ELEMENTS: usize = 32 << 10;

/// Prefers the pool; where its address space is refused (`ulimit -v`, strict overcommit), memory comes on demand.
pub(crate) fn build(config: &WasmConfig) -> wasmtime::Result<Engine> {
    let refused = match Engine::new(&pooled(config)) {
        Ok(engine) => return Ok(engine),
        Err(refused) => refused,
    };
    tracing::warn!(
        error = format!("{refused:#}"),
        "no room for the pool of wasm instances: memory on demand, slower"
    );
    Engine::new(&on_demand())
}

fn base() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // Compilation has threads of its own, of low priority: it must not take all cores from running calls.
        .parallel_compilation(false)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        // Not offered by any of our worlds; without it a store is made faster.
        .concurrency_support(false);
    config
}

fn pooled(config: &WasmConfig) -> Config {
    let calls = config.max_instances.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES))
        .total_memories(calls.saturating_mul(MEMORIES))
        .total_tables(calls.saturating_mul(TABLES))
        .total_stacks(calls.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(config.keep_resident)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots(config.warm_slots)
        .pagemap_scan(Enabled::Auto);
    let mut base = base();
    base.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    base
}

fn on_demand() -> Config {
    let mut config = base();
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        // Address space is what is short here: small reservations, memories move when they grow.
        .memory_reservation(0)
        .memory_reservation_for_growth(1 << 20)
        .memory_guard_size(64 << 10);
    config
}
