"""ASC-Net, step 3: train stage 2 until it ends by itself. usage: continue_training_stage_2.py DATA NETWORKS [PICTURES]

DATA holds the arrays that `mood pack` makes, NETWORKS those of create_networks.py; PICTURES is how many
inputs are written as pictures (16). The same command goes on after an interruption.
"""

from mood.methods.ascnet.workflow import run_stage

if __name__ == "__main__":
    run_stage(2)
