"""What tools/spills.py and tools/guarded.py find in compilers' listings."""

import importlib.util
import sys
from types import ModuleType

import pytest

from support.paths import ROOT

X86 = """
0000000000000000 <void eigenmlp::tile<float, 2, 1>(eigenmlp::Tile<float> const&)>:
   0:	mov    (%rdi),%rax
   3:	vmovaps %zmm0,0x40(%rsp)
   8:	vmovaps (%rax),%zmm1
   e:	vfmadd231ps (%rbp){1to16},%zmm1,%zmm2
  14:	vmovaps %zmm2,0x80(%rsp)
  1c:	mov    0x8(%rsp),%rcx
  21:	vfmadd231ps 0x40(%rsp),%zmm1,%zmm3
  29:	cmp    %rax,%rcx
  2c:	jne    8 <void eigenmlp::tile<float, 2, 1>(eigenmlp::Tile<float> const&)+0x8>
  2e:	vmovaps 0x80(%rsp),%zmm4
  36:	jne    0 <void eigenmlp::tile<float, 2, 1>(eigenmlp::Tile<float> const&)>
  38:	ret

0000000000000040 <clean(float*)>:
  40:	mov    %rsp,%rbp
  43:	vmovaps -0x40(%rbp),%ymm0
  48:	vfmadd231ps (%rdi),%ymm0,%ymm1
  4d:	add    $0x20,%rdi
  51:	jne    48 <clean(float*)+0x8>
  53:	prefetcht0 (%rdi)
  58:	jne    53 <clean(float*)+0x13>
  5a:	ret

0000000000000060 <framed(float*)>:
  60:	mov    %rsp,%rbp
  63:	vmovaps -0x40(%rbp),%ymm0
  68:	vfmadd231ps (%rdi),%ymm0,%ymm1
  6d:	jne    63 <framed(float*)+0x3>
  6f:	ret
"""
ARM = """
0000000000000000 <void eigenmlp::tile<float, 6, 1>(eigenmlp::Tile<float> const&)>:
   0:	stp	x29, x30, [sp, #-80]!
   4:	ldr	q1, [x0], #16
   8:	ldr	q30, [sp, #64]
   c:	fmla	v30.4s, v1.4s, v2.4s
  10:	str	q30, [sp, #64]
  14:	ldr	x3, [sp, #8]
  18:	subs	x2, x2, #0x1
  1c:	b.ne	4 <void eigenmlp::tile<float, 6, 1>(eigenmlp::Tile<float> const&)+0x4>  // b.any
  20:	ldp	x29, x30, [sp], #80
  24:	ret
"""


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # where its dataclass looks for its annotations
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def spills() -> ModuleType:
    return tool("spills")


def test_x86_64(spills: ModuleType) -> None:
    """Of innermost loops with products alone; %rbp is the stack's only where a function says so."""
    tile, clean, framed = spills.loops(X86)
    assert tile.function.startswith("void eigenmlp::tile<float, 2, 1>")
    assert (tile.instructions, tile.products, tile.spilled, tile.others) == (7, 2, 2, 1)
    assert (clean.instructions, clean.products, clean.spilled, clean.others) == (3, 1, 0, 0)
    assert (framed.instructions, framed.products, framed.spilled) == (3, 1, 1)


def test_aarch64(spills: ModuleType) -> None:
    (tile,) = spills.loops(ARM)
    assert (tile.instructions, tile.products, tile.spilled, tile.others) == (7, 1, 2, 1)


def test_variants_are_those_that_are_built(spills: ModuleType) -> None:
    text = (ROOT / "cmake" / "isa.cmake").read_text(encoding="utf-8")
    for architecture, variants in spills.VARIANTS.items():
        assert f"set(eigenmlp_variants_{architecture} {' '.join(variants)})" in text


GUARDED = """
0000000000000000 <void eigenmlp::tile<float, 2, 1, (eigenmlp::Sum)1>(eigenmlp::Tile<float> const&)>:
   0:	vdpbf16ps %zmm0,%zmm1,%zmm2
0000000000000010 <eigenmlp::rounded::pairs::store_left(float const*, long)>:
  10:	vcvtneps2bf16 %zmm0,%ymm0
0000000000000020 <void eigenmlp::amx::multiply_block<2, 1>(eigenmlp::amx::Block const&)>:
  20:	tileloadd (%rax,%rcx,1),%tmm0
0000000000000030 <void eigenmlp::tile<float, 2, 1, (eigenmlp::Sum)0>(eigenmlp::Tile<float> const&)>:
  30:	vfmadd231ps %zmm0,%zmm1,%zmm2
  34:	jne    30 <void eigenmlp::tile<float, 2, 1, (eigenmlp::Sum)0>(eigenmlp::Tile<float> const&)>
"""
UNGUARDED = """
0000000000000040 <bool eigenmlp::predict<float>(eigenmlp::rounded::pairs::X const*)>:
  40:	vcvtne2ps2bf16 %zmm0,%zmm1,%zmm2
0000000000000050 <void eigenmlp::tile<float, 2, 1, (eigenmlp::Sum)0>(eigenmlp::Tile<float> const&)>:
  50:	vdpbf16ps %zmm0,%zmm1,%zmm2
"""


def test_instructions_of_bfloat16(spills: ModuleType) -> None:
    """Where a processor without them would meet them: by a function's name, not its arguments'."""
    guarded = tool("guarded")
    assert guarded.unguarded(GUARDED) == ([], 3)
    wrong, right = guarded.unguarded(GUARDED + UNGUARDED)
    assert right == 3 and [name.split("(")[0] for name in wrong] == [
        "bool eigenmlp::predict<float>",
        "void eigenmlp::tile<float, 2, 1, ",
    ]
