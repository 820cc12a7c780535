/*! bulletproof
name: k
targets: [cpu]
dtypes: [f16]
default: {}
*/
// EVOLVE-BLOCK-START
int a;
// EVOLVE-BLOCK-END
