;; Hello in the lean ABI (docs/wasm-abi.md): no WASI, no libc, one page of memory; a call costs microseconds.
;; The payload is a name; an empty one greets the world.
(module
  ;; eventflow.log(level, ptr, len): a line of the call's log; level 2 is "info".
  (import "eventflow" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)

  ;; 0..64: the constants; from 1024 on: what ef_alloc hands out.
  (data (i32.const 0) "Hello, ")
  (data (i32.const 8) "world")
  (data (i32.const 16) "!\n")
  (data (i32.const 24) "saying hello")
  (global $free (mut i32) (i32.const 1024))

  ;; ef_alloc(len) -> ptr: room for `len` bytes. Nothing is given back: every call has a fresh instance.
  (func $alloc (export "ef_alloc") (param $len i32) (result i32)
    (local $ptr i32)
    (local $end i64)
    (local.set $ptr (global.get $free))
    ;; In 64 bits, so that a length near 4 GiB cannot wrap around.
    (local.set $end
      (i64.add (i64.extend_i32_u (local.get $ptr)) (i64.extend_i32_u (local.get $len))))
    (if (i64.gt_u (local.get $end) (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
      (then
        ;; Grow by as many pages as the length needs; a refused growth ends the call.
        (if (i32.eq
              (memory.grow
                (i32.wrap_i64
                  (i64.add (i64.shr_u (i64.extend_i32_u (local.get $len)) (i64.const 16)) (i64.const 1))))
              (i32.const -1))
          (then unreachable))))
    (global.set $free (i32.wrap_i64 (local.get $end)))
    (local.get $ptr))

  ;; ef_handle(ptr, len) -> ptr << 32 | len of the answer.
  (func (export "ef_handle") (param $ptr i32) (param $len i32) (result i64)
    (local $out i32)
    (local $at i32)
    (call $log (i32.const 2) (i32.const 24) (i32.const 12))
    (if (i32.eqz (local.get $len))
      (then
        (local.set $ptr (i32.const 8))
        (local.set $len (i32.const 5))))
    (local.set $out (call $alloc (i32.add (local.get $len) (i32.const 9))))
    (memory.copy (local.get $out) (i32.const 0) (i32.const 7))
    (local.set $at (i32.add (local.get $out) (i32.const 7)))
    (memory.copy (local.get $at) (local.get $ptr) (local.get $len))
    (local.set $at (i32.add (local.get $at) (local.get $len)))
    (memory.copy (local.get $at) (i32.const 16) (i32.const 2))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $out)) (i64.const 32))
      (i64.extend_i32_u (i32.add (local.get $len) (i32.const 9))))))
