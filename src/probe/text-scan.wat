;; Counts over bytes, 64 at a time: line ends of every kind, the longest line, bytes that text does not have.
;; `node scripts/wat.mjs` assembles it into text-scan-code.ts, which is what runs; a test holds the two together.
;;
;; The state lives in exported globals, so that a file can be given in pieces cut anywhere. A line ends at LF, CRLF or
;; CR; its length does not count that end. Lengths and offsets count bytes, in the wide encodings too.
(module
  (memory (export "memory") 1)

  (global $lf (export "lf") (mut i64) (i64.const 0))
  (global $cr (export "cr") (mut i64) (i64.const 0))
  (global $crlf (export "crlf") (mut i64) (i64.const 0))
  (global $nul (export "nul") (mut i64) (i64.const 0))
  ;; C0 controls that text does not have (all but NUL and \b \t \n \v \f \r ESC), and DEL.
  (global $control (export "control") (mut i64) (i64.const 0))
  ;; Bytes from 0x80 up; in the wide encodings, units from 0x80 up.
  (global $high (export "high") (mut i64) (i64.const 0))
  ;; Bytes in the line that has not ended yet.
  (global $current (export "current") (mut i64) (i64.const 0))
  (global $longest (export "longest") (mut i64) (i64.const 0))
  ;; Number of the longest line, from 1; the first of several.
  (global $longestLine (export "longestLine") (mut i64) (i64.const 1))
  (global $lines (export "lines") (mut i64) (i64.const 0))
  ;; Was the last unit a CR, whose LF may be the next?
  (global $afterCR (export "afterCR") (mut i64) (i64.const 0))
  ;; The wide encodings: bytes seen, offset of the first invalid unit (-1: none), a high surrogate that waits for its low one.
  (global $seen (export "seen") (mut i64) (i64.const 0))
  (global $invalid (export "invalid") (mut i64) (i64.const -1))
  (global $surrogate (export "surrogate") (mut i32) (i32.const 0))

  (func (export "reset")
    (global.set $lf (i64.const 0)) (global.set $cr (i64.const 0)) (global.set $crlf (i64.const 0))
    (global.set $nul (i64.const 0)) (global.set $control (i64.const 0)) (global.set $high (i64.const 0))
    (global.set $current (i64.const 0)) (global.set $longest (i64.const 0)) (global.set $longestLine (i64.const 1))
    (global.set $lines (i64.const 0)) (global.set $afterCR (i64.const 0)) (global.set $seen (i64.const 0))
    (global.set $invalid (i64.const -1)) (global.set $surrogate (i32.const 0)))

  ;; The four 16-bit masks of one comparison, as one of 64 bits.
  (func $mask (param $a i32) (param $b i32) (param $c i32) (param $d i32) (result i64)
    (i64.or
      (i64.extend_i32_u (i32.or (local.get $a) (i32.shl (local.get $b) (i32.const 16))))
      (i64.shl
        (i64.extend_i32_u (i32.or (local.get $c) (i32.shl (local.get $d) (i32.const 16))))
        (i64.const 32))))

  ;; Bytes of an encoding in which LF and CR are single bytes. What lies in the 64 bytes after the end may be read.
  (func (export "bytes") (param $at i32) (param $length i32)
    (local $end i32) (local $left i32)
    (local $v0 v128) (local $v1 v128) (local $v2 v128) (local $v3 v128)
    (local $valid i64) (local $lfs i64) (local $crs i64) (local $low i64) (local $high_ i64) (local $second i64)
    (local $ends i64) (local $bit i64) (local $position i64) (local $start i64) (local $size i64) (local $width i64)
    (local $longest_ i64) (local $lines_ i64) (local $before i64)
    (local $LF v128) (local $CR v128) (local $SP v128) (local $DEL v128)
    (local.set $LF (i8x16.splat (i32.const 10)))
    (local.set $CR (i8x16.splat (i32.const 13)))
    (local.set $SP (i8x16.splat (i32.const 32)))
    (local.set $DEL (i8x16.splat (i32.const 127)))
    (local.set $longest_ (global.get $longest))
    (local.set $lines_ (global.get $lines))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    ;; Where the current line began, relative to the block: 0 or less.
    (local.set $start (i64.sub (i64.const 0) (global.get $current)))
    (block $done
      (loop $next
        (local.set $left (i32.sub (local.get $end) (local.get $at)))
        (br_if $done (i32.le_s (local.get $left) (i32.const 0)))
        (local.set $width (i64.const 64))
        (local.set $valid (i64.const -1))
        (if (i32.lt_s (local.get $left) (i32.const 64))
          (then
            (local.set $width (i64.extend_i32_s (local.get $left)))
            (local.set $valid (i64.sub (i64.shl (i64.const 1) (local.get $width)) (i64.const 1)))))
        (local.set $v0 (v128.load offset=0 (local.get $at)))
        (local.set $v1 (v128.load offset=16 (local.get $at)))
        (local.set $v2 (v128.load offset=32 (local.get $at)))
        (local.set $v3 (v128.load offset=48 (local.get $at)))
        ;; Signed: below a space are the controls and everything from 0x80 up.
        (local.set $low (i64.and (local.get $valid) (call $mask
          (i8x16.bitmask (i8x16.lt_s (local.get $v0) (local.get $SP)))
          (i8x16.bitmask (i8x16.lt_s (local.get $v1) (local.get $SP)))
          (i8x16.bitmask (i8x16.lt_s (local.get $v2) (local.get $SP)))
          (i8x16.bitmask (i8x16.lt_s (local.get $v3) (local.get $SP))))))
        (local.set $low (i64.or (local.get $low) (i64.and (local.get $valid) (call $mask
          (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $DEL)))
          (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $DEL)))
          (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $DEL)))
          (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $DEL)))))))
        (if (i64.eqz (local.get $low))
          (then (global.set $afterCR (i64.const 0)))
          (else
            (local.set $lfs (i64.and (local.get $valid) (call $mask
              (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $LF)))
              (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $LF)))
              (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $LF)))
              (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $LF))))))
            (local.set $crs (i64.and (local.get $valid) (call $mask
              (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $CR)))
              (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $CR)))
              (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $CR)))
              (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $CR))))))
            ;; An LF right after a CR ends no line of its own.
            (local.set $second (i64.and (local.get $lfs)
              (i64.or (i64.shl (local.get $crs) (i64.const 1)) (global.get $afterCR))))
            (global.set $afterCR (i64.and (i64.const 1)
              (i64.shr_u (local.get $crs) (i64.sub (local.get $width) (i64.const 1)))))
            (global.set $lf (i64.add (global.get $lf) (i64.popcnt (local.get $lfs))))
            (if (i64.ne (local.get $crs) (i64.const 0))
              (then (global.set $cr (i64.add (global.get $cr) (i64.popcnt (local.get $crs))))))
            (if (i64.ne (local.get $second) (i64.const 0))
              (then (global.set $crlf (i64.add (global.get $crlf) (i64.popcnt (local.get $second))))))
            (local.set $ends (i64.or (local.get $lfs) (local.get $crs)))
            (local.set $before (local.get $lines_))
            (local.set $lines_ (i64.add (local.get $lines_)
              (i64.popcnt (i64.xor (local.get $ends) (local.get $second)))))
            ;; Line by line; but once a line of 64 is known, only the first end in a block can end a longer one.
            (block $ended
              (loop $line
                (br_if $ended (i64.eqz (local.get $ends)))
                (local.set $position (i64.ctz (local.get $ends)))
                (local.set $bit (i64.and (local.get $ends) (i64.sub (i64.const 0) (local.get $ends))))
                (local.set $ends (i64.xor (local.get $ends) (local.get $bit)))
                (if (i64.eqz (i64.and (local.get $second) (local.get $bit)))
                  (then
                    (local.set $size (i64.sub (local.get $position) (local.get $start)))
                    (if (i64.gt_s (local.get $size) (local.get $longest_))
                      (then
                        (local.set $longest_ (local.get $size))
                        (global.set $longestLine (i64.add (i64.add (local.get $before) (i64.const 1))
                          (i64.popcnt (i64.and
                            (i64.xor (i64.or (local.get $lfs) (local.get $crs)) (local.get $second))
                            (i64.sub (local.get $bit) (i64.const 1))))))))))
                (local.set $start (i64.add (local.get $position) (i64.const 1)))
                (br_if $line (i64.lt_s (local.get $longest_) (i64.const 64)))
                (br_if $ended (i64.eqz (local.get $ends)))
                (local.set $start (i64.sub (i64.const 64) (i64.clz (local.get $ends))))))
            (local.set $low (i64.xor (local.get $low) (i64.or (local.get $lfs) (local.get $crs))))
            (if (i64.ne (local.get $low) (i64.const 0))
              (then
                (local.set $high_ (i64.and (local.get $valid) (call $mask
                  (i8x16.bitmask (local.get $v0)) (i8x16.bitmask (local.get $v1))
                  (i8x16.bitmask (local.get $v2)) (i8x16.bitmask (local.get $v3)))))
                (global.set $high (i64.add (global.get $high) (i64.popcnt (local.get $high_))))
                (local.set $low (i64.xor (local.get $low) (local.get $high_)))
                (if (i64.ne (local.get $low) (i64.const 0))
                  (then
                    (local.set $high_ (i64.and (local.get $valid) (call $mask
                      (call $zeros (local.get $v0)) (call $zeros (local.get $v1))
                      (call $zeros (local.get $v2)) (call $zeros (local.get $v3)))))
                    (global.set $nul (i64.add (global.get $nul) (i64.popcnt (local.get $high_))))
                    (local.set $low (i64.xor (local.get $low) (local.get $high_)))
                    (local.set $high_ (i64.and (local.get $low) (call $mask
                      (call $layout (local.get $v0)) (call $layout (local.get $v1))
                      (call $layout (local.get $v2)) (call $layout (local.get $v3)))))
                    (global.set $control (i64.add (global.get $control)
                      (i64.popcnt (i64.xor (local.get $low) (local.get $high_)))))))))))
        (local.set $start (i64.sub (local.get $start) (local.get $width)))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $next)))
    (global.set $current (i64.sub (i64.const 0) (local.get $start)))
    (global.set $longest (local.get $longest_))
    (global.set $lines (local.get $lines_)))

  (func $zeros (param $v v128) (result i32)
    (i8x16.bitmask (i8x16.eq (local.get $v) (i8x16.splat (i32.const 0)))))

  ;; \b \t \n \v \f \r and ESC: controls that text has.
  (func $layout (param $v v128) (result i32)
    (i8x16.bitmask (v128.or
      (i8x16.le_u (i8x16.sub (local.get $v) (i8x16.splat (i32.const 8))) (i8x16.splat (i32.const 5)))
      (i8x16.eq (local.get $v) (i8x16.splat (i32.const 27))))))

  ;; UTF-16 (width 2) or UTF-32 (width 4); $length is a multiple of the width.
  (func (export "wide") (param $at i32) (param $length i32) (param $width i32) (param $big i32)
    (local $end i32) (local $unit i32) (local $size i64) (local $step i64)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (local.set $step (i64.extend_i32_u (local.get $width)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.eq (local.get $width) (i32.const 2))
          (then
            (local.set $unit (i32.load16_u (local.get $at)))
            (if (local.get $big)
              (then (local.set $unit (i32.or
                (i32.shl (i32.and (local.get $unit) (i32.const 255)) (i32.const 8))
                (i32.shr_u (local.get $unit) (i32.const 8)))))))
          (else
            (local.set $unit (i32.load (local.get $at)))
            (if (local.get $big)
              (then (local.set $unit (i32.or
                (i32.rotl (i32.and (local.get $unit) (i32.const 0x00ff00ff)) (i32.const 24))
                (i32.rotl (i32.and (local.get $unit) (i32.const 0xff00ff00)) (i32.const 8))))))))
        (if (i32.lt_u (local.get $unit) (i32.const 128))
          (then
            (if (global.get $surrogate) (then (call $bad (i64.const 2))))
            (if (i32.or (i32.eq (local.get $unit) (i32.const 10)) (i32.eq (local.get $unit) (i32.const 13)))
              (then
                (if (i32.and (i32.eq (local.get $unit) (i32.const 10)) (i64.ne (global.get $afterCR) (i64.const 0)))
                  (then
                    (global.set $crlf (i64.add (global.get $crlf) (i64.const 1)))
                    (global.set $lf (i64.add (global.get $lf) (i64.const 1))))
                  (else
                    (global.set $lines (i64.add (global.get $lines) (i64.const 1)))
                    (if (i64.gt_s (global.get $current) (global.get $longest))
                      (then
                        (global.set $longest (global.get $current))
                        (global.set $longestLine (global.get $lines))))
                    (if (i32.eq (local.get $unit) (i32.const 10))
                      (then (global.set $lf (i64.add (global.get $lf) (i64.const 1))))
                      (else (global.set $cr (i64.add (global.get $cr) (i64.const 1)))))))
                (global.set $current (i64.sub (i64.const 0) (local.get $step))))
              (else
                (if (i32.eqz (local.get $unit))
                  (then (global.set $nul (i64.add (global.get $nul) (i64.const 1))))
                  (else
                    (if (i32.or
                          (i32.eq (local.get $unit) (i32.const 127))
                          (i32.and (i32.lt_u (local.get $unit) (i32.const 32)) (i32.and
                            (i32.gt_u (i32.sub (local.get $unit) (i32.const 8)) (i32.const 5))
                            (i32.ne (local.get $unit) (i32.const 27)))))
                      (then (global.set $control (i64.add (global.get $control) (i64.const 1)))))))))
            (global.set $afterCR (i64.extend_i32_u (i32.eq (local.get $unit) (i32.const 13)))))
          (else
            (global.set $high (i64.add (global.get $high) (i64.const 1)))
            (global.set $afterCR (i64.const 0))
            (if (i32.eq (i32.and (local.get $unit) (i32.const 0xfffff800)) (i32.const 0xd800))
              (then
                (if (i32.eq (local.get $width) (i32.const 4))
                  (then (call $bad (i64.const 0)))
                  (else
                    (if (i32.lt_u (local.get $unit) (i32.const 0xdc00))
                      (then
                        (if (global.get $surrogate) (then (call $bad (i64.const 2))))
                        (global.set $surrogate (i32.const 1)))
                      (else
                        (if (i32.eqz (global.get $surrogate)) (then (call $bad (i64.const 0))))
                        (global.set $surrogate (i32.const 0)))))))
              (else
                (if (global.get $surrogate) (then (call $bad (i64.const 2))))
                (if (i32.gt_u (local.get $unit) (i32.const 0x10ffff)) (then (call $bad (i64.const 0))))))))
        (global.set $current (i64.add (global.get $current) (local.get $step)))
        (global.set $seen (i64.add (global.get $seen) (local.get $step)))
        (local.set $at (i32.add (local.get $at) (local.get $width)))
        (br $next))))

  ;; Something invalid began $back bytes before this unit.
  (func $bad (param $back i64)
    (global.set $surrogate (i32.const 0))
    (if (i64.lt_s (global.get $invalid) (i64.const 0))
      (then (global.set $invalid (i64.sub (global.get $seen) (local.get $back)))))))
