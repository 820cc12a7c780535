#!/usr/bin/env python3
"""`eval --compile-only`: GPU kernels compiled by the vendors' run-time compilers, without a GPU.

usage: compile_only.py BULLETPROOF SEEDS (exit status 77: no run-time compiler is installed)
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BULLETPROOF = ""
SEEDS = pathlib.Path()

HEAD = """/*! bulletproof
name: little
targets: [cpu, amd, nvidia]
dtypes: [f16]
knobs: {WIDTH: [1, 2]}
default: {WIDTH: 1}
*/
#include "gqa.h"
GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, shape.batch, 1, 1, 64, 0);
}
GQA_KERNEL %s void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v, gqa_t *o,
                            void *workspace)
{
%s
}
"""
FIRST_LINE = 16  # of the body
SPILLS = """    float x[200];
#pragma unroll
    for (int i = 0; i < 200; i++)
        x[i] = gqa_load(q + i * 7 + threadIdx.x);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 200; i++)
        x[i] = x[i] * x[(i * 37 + 11) % 200] + shape.scale;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 200; i++)
        gqa_store(o + i * 7 + threadIdx.x, x[i]);"""
LDS = """    __shared__ volatile float big[%d];
    big[threadIdx.x * 7 %% %d] = shape.scale;
    __syncthreads();
    ((float *)workspace)[threadIdx.x] = big[threadIdx.x * 3 %% %d];"""
HIPRTC = ["libhiprtc.so.7", "libhiprtc.so.6", "libamdhip64.so.5"]
NVRTC = ["libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"]
MIX = {"matrix", "valu", "salu", "lds", "memory", "wait", "other"}


def installed(names):
    """The first of the libraries that can be opened, asked in a process of its own."""
    for name in names:
        if subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL({name!r})"],
                          stderr=subprocess.DEVNULL).returncode == 0:
            return name
    return None


AMD, NVIDIA = installed(HIPRTC), installed(NVRTC)
needs_amd = unittest.skipUnless(AMD, "no hipRTC (on Debian 12: libamdhip64-5)")
needs_nvidia = unittest.skipUnless(NVIDIA, "no NVRTC (it comes with the CUDA toolkit)")


class CompileOnly(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_eval(self, source, *options):
        return subprocess.run([BULLETPROOF, "eval", source, "--compile-only", *options],
                              capture_output=True, text=True, errors="replace")

    def compile(self, source, targets, *options, status=0):
        """The JSON of a compile that ends with this status: target -> row."""
        done = self.run_eval(source, "--target", targets, "--json", *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        result = json.loads(done.stdout)
        rows = {row["target"]: row for row in result["targets"]}
        self.assertEqual(list(rows), targets.split(","))
        return rows

    def body(self, body, bounds=""):
        path = os.path.join(self.folder.name, "little.hip")
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEAD % (bounds, body))
        return path

    def check_profile(self, row, wave_max, mix):
        self.assertEqual(row["verdict"], "PASS", row)
        self.assertGreater(row["object_bytes"], 1000)
        self.assertEqual(len(row["object_hash"]), 64)
        kernels = {kernel["kernel"]: kernel for kernel in row["profile"]}
        self.assertEqual(sorted(kernels), list(kernels))
        self.assertLessEqual({"gqa_plan", "gqa_kernel0"}, set(kernels))
        for kernel in kernels.values():
            self.assertGreater(kernel["vgpr"], 0)
            self.assertGreater(kernel["occupancy"], 0)
            self.assertLessEqual(kernel["occupancy"], wave_max)
            self.assertEqual(kernel["occupancy_max"], wave_max)
            self.assertEqual(kernel["spills"], 0)
            self.assertEqual(kernel["mix"] is not None, mix)
            if mix:
                self.assertEqual(set(kernel["mix"]), MIX)
                self.assertGreater(kernel["mix"]["valu"], 0)
                self.assertGreater(kernel["mix"]["memory"], 0)
                self.assertEqual(kernel["mix"]["other"], 0)
        return kernels

    @needs_amd
    def test_seeds_for_amd(self):
        rows = self.compile(SEEDS / "eager.hip", "gfx1030,gfx90a")
        self.check_profile(rows["gfx1030"], 16, True)
        self.check_profile(rows["gfx90a"], 8, True)
        for row in rows.values():
            self.assertIn("hipRTC", row["compiler"])
            self.assertIn(f"--offload-arch={row['target']}", row["command"])
            self.assertIsNone(row["diagnostics"])

    @needs_amd
    def test_objects_are_the_same_again(self):
        first, second = (self.compile(SEEDS / "eager.hip", "gfx1030")["gfx1030"] for _ in range(2))
        self.assertEqual(first["object_hash"], second["object_hash"])
        other = self.compile(SEEDS / "eager.hip", "gfx1030", "--dtype", "bf16")["gfx1030"]
        self.assertNotEqual(first["object_hash"], other["object_hash"])

    @needs_nvidia
    def test_seeds_for_nvidia(self):
        rows = self.compile(SEEDS / "eager.hip", "sm_89,sm_90")
        self.check_profile(rows["sm_89"], 12, False)
        self.check_profile(rows["sm_90"], 16, False)
        self.assertIn("NVRTC", rows["sm_90"]["compiler"])
        self.assertIsNone(rows["sm_90"]["diagnostics"])  # ptxas's report is none

    def each(self, source, *options, status=0):
        """One row of each compiler there is."""
        targets = [target for target, there in [("gfx1030", AMD), ("sm_90", NVIDIA)] if there]
        return self.compile(source, ",".join(targets), *options, status=status).values()

    def test_lds_is_measured(self):
        source = self.body(LDS % (4000, 4000, 4000))
        for row in self.each(source):
            kernels = {kernel["kernel"]: kernel for kernel in row["profile"]}
            self.assertEqual(kernels["gqa_kernel0"]["lds_bytes"], 16000)
            self.assertEqual(kernels["gqa_plan"]["lds_bytes"], 0)

    def test_too_much_lds(self):
        source = self.body(LDS % (20000, 20000, 20000))
        for row in self.each(source, status=10):
            self.assertEqual(row["verdict"], "RESOURCE_LIMIT", row)
            self.assertIn("80000", row["message"])
            self.assertIn("gqa_kernel0", row["message"])
            self.assertIsNone(row["object_hash"])

    def test_spills(self):
        source = self.body(SPILLS, "GQA_LAUNCH_BOUNDS(1024)")
        for row in self.each(source):
            kernel = {kernel["kernel"]: kernel for kernel in row["profile"]}["gqa_kernel0"]
            self.assertGreater(kernel["spills"], 100)
            self.assertGreater(kernel["scratch_bytes"], 400)
            self.assertEqual(kernel["vgpr"], 64)

    def test_error_names_the_line(self):
        source = self.body("    o->bits = missing;")
        for row in self.each(source, status=10):
            self.assertEqual(row["verdict"], "COMPILE_ERROR")
            self.assertRegex(row["message"], rf"^kernel\.hip[:(]{FIRST_LINE}[:)].*missing")
            self.assertRegex(row["diagnostics"], rf"kernel\.hip[:(]{FIRST_LINE}")
            self.assertNotIn("comgr-", row["diagnostics"])
            self.assertIsNone(row["profile"])

    def test_error_in_a_header_of_ours(self):
        source = self.body("    gqa_store(o, q);")
        for row in self.each(source, status=10):
            self.assertEqual(row["verdict"], "COMPILE_ERROR")
            self.assertNotIn("/", row["message"].split(" ")[0])

    @needs_amd
    def test_builtin_of_another_architecture(self):
        body = "    ((float *)workspace)[0] = __builtin_amdgcn_fdot2c_f32_bf16(0, 0, 0, 0);\n" \
               "    __builtin_amdgcn_mfma_f32_4x4x1f32(1.0f, 1.0f, 0, 0, 0, 0);"
        row = self.compile(self.body(body), "gfx1030", status=10)["gfx1030"]
        self.assertEqual(row["verdict"], "COMPILE_ERROR", row)
        self.assertIn("builtin", row["message"])
        vector = "typedef float f4 __attribute__((ext_vector_type(4)));\n    f4 c = {0, 0, 0, 0};\n" \
                 "    c = __builtin_amdgcn_mfma_f32_4x4x1f32(1.0f, 1.0f, c, 0, 0, 0);\n" \
                 "    ((float *)workspace)[0] = c[0];"
        rows = self.compile(self.body(vector), "gfx90a,gfx1030", status=10)
        self.assertEqual(rows["gfx1030"]["verdict"], "COMPILE_ERROR", rows["gfx1030"])
        self.assertIn("gfx1030" if "gfx1030" in rows["gfx1030"]["message"] else "mai-insts",
                      rows["gfx1030"]["message"])
        mixes = {k["kernel"]: k["mix"] for k in rows["gfx90a"]["profile"]}
        self.assertEqual(rows["gfx90a"]["verdict"], "PASS")
        self.assertEqual(mixes["gqa_kernel0"]["matrix"], 1)

    @needs_amd
    def test_compiler_crash(self):
        source = self.body("#pragma clang __debug crash")
        row = self.compile(source, "gfx1030", status=10)["gfx1030"]
        self.assertEqual(row["verdict"], "COMPILER_CRASH", row)
        self.assertIn("killed by SIG", row["message"])

    @unittest.skipUnless(AMD == "libamdhip64.so.5", "hipRTC 5.2 aborts on architectures it is too old for")
    def test_unknown_to_the_compiler(self):
        rows = self.compile(self.body(""), "gfx1100,gfx1030", status=10)
        self.assertEqual(rows["gfx1100"]["verdict"], "COMPILER_CRASH")
        self.assertIn("killed by SIG", rows["gfx1100"]["message"])
        self.assertEqual(rows["gfx1030"]["verdict"], "PASS")

    def test_compiler_hangs(self):
        source = self.body("    X<int, 60> x;")
        with open(source, "r+", encoding="utf-8") as file:
            text = file.read().replace("GQA_KERNEL  void gqa_kernel0", """
template <class T, int N> struct X { X<X<T, N>, N - 1> a; X<X<T, N - 1>, N - 1> b; };
template <class T> struct X<T, 0> { };
GQA_KERNEL void gqa_kernel0""")
            file.seek(0)
            file.write(text)
        for row in self.each(source, "--compile-seconds", "1", status=10):
            self.assertEqual(row["verdict"], "COMPILE_TIMEOUT", row)

    def test_flood_of_diagnostics(self):
        lines = "\n".join(f'    static_assert({i} < 0, "{"x" * 15000}");' for i in range(40))
        for row in self.each(self.body(lines), status=10):
            self.assertIn(row["verdict"], ["COMPILE_LIMIT", "COMPILE_ERROR"])
            self.assertLess(len(row["diagnostics"]), 16384)

    def test_the_compiler_opens_no_file(self):
        for name in ["/etc/passwd", "/proc/self/environ"]:
            for row in self.each(self.body(f'#include "{name}"'), status=10):
                self.assertEqual(row["verdict"], "COMPILE_ERROR", row)
                self.assertNotIn("root:", row["diagnostics"])
                self.assertNotIn("TMPDIR", row["diagnostics"])
        if AMD:
            row = self.compile(self.body('asm(".incbin \\"/etc/passwd\\"");'), "gfx1030", status=10)
            self.assertNotEqual(row["gfx1030"]["verdict"], "PASS")

    def test_wrong_usage(self):
        source = self.body("")
        for options, words in [
                (["--target", "gfx1030,gfx1"], ["'gfx1'", "gfx1201", "sm_90"]),
                (["--target", ""], ["valid: gfx90a"]),
                (["--target", "sm_90,sm_90"], ["sm_90 is named twice"]),
                (["--target", "gfx1030", "--dtype", "f32"], ["does not declare dtype f32"]),
                (["--target", "gfx1030", "--gates", "all"], ["--gates"]),
                ([], ["--target"])]:
            done = self.run_eval(source, *options)
            self.assertEqual(done.returncode, 2, done)
            for word in words:
                self.assertIn(word, done.stderr)
        done = self.run_eval(SEEDS / "cpu_flash.hip", "--target", "gfx1030")
        self.assertEqual(done.returncode, 2)
        self.assertIn("needs target 'amd'", done.stderr)
        done = subprocess.run([BULLETPROOF, "eval", source, "--target", "gfx1030"], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 2)

    def test_knobs(self):
        for row in self.each(self.body('    static_assert(WIDTH == 2, "");'), "--knob", "WIDTH=2"):
            self.assertEqual(row["verdict"], "PASS")
        done = self.run_eval(self.body(""), "--target", "gfx1030", "--knob", "WIDTH=3", "--json")
        self.assertEqual(done.returncode, 10)
        self.assertEqual(json.loads(done.stdout)["verdict"], "INVALID_CONFIG")

    def test_text(self):
        target = "gfx1030" if AMD else "sm_90"
        done = self.run_eval(SEEDS / "eager.hip", "--target", target)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertTrue(lines[0].startswith(f"PASS  {target}  "))
        self.assertEqual(lines[1].split()[:7],
                         ["kernel", "vgpr", "agpr", "sgpr", "spills", "lds", "scratch"])
        self.assertEqual([line.split()[0] for line in lines[2:]],
                         ["gqa_kernel0", "gqa_kernel1", "gqa_kernel2", "gqa_plan"])

    @unittest.skipIf(NVIDIA, "NVRTC is installed")
    def test_missing_compiler_is_ours(self):
        row = self.compile(self.body(""), "sm_90", status=20)["sm_90"]
        self.assertEqual(row["verdict"], "INFRA")
        self.assertIn("CUDA toolkit", row["message"])


if __name__ == "__main__":
    BULLETPROOF, SEEDS = sys.argv[1], pathlib.Path(sys.argv[2])
    if not AMD and not NVIDIA:
        print("skipped: neither hipRTC (libamdhip64-5) nor NVRTC (CUDA toolkit) is installed")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v"])
