#!/bin/bash
# A search on several machines of a Slurm cluster: sbatch examples/cluster/slurm.sh
#
# Slurm starts a Ray on the nodes of this job, the first of which drives the search; all of it ends with the job.
# A job that was cut short goes on when it is submitted again (--resume). Settings, from the environment:
#
#   RUN      the run folder; on a disk of the first node or one that all see [runs/slurm]
#   TRIALS   how many candidates to train [200]
#   CPUS     cores of a trial, whole ones [2]
#   GPUS     GPUs of a trial, e.g. 0.25; ask for some below, too [0]
#   VENV     a virtual environment that all nodes see, with automl-cells[ray] in it [none]
#   SEARCH   the rest of the search's options [--space blockqnn --dataset digits]
#
#SBATCH --job-name=automl-cells
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --output=automl-cells-%j.log
##SBATCH --gpus-per-node=4

set -euo pipefail

RUN=${RUN:-runs/slurm}
TRIALS=${TRIALS:-200}
CPUS=${CPUS:-2}
GPUS=${GPUS:-0}
read -r -a search <<<"${SEARCH:---space blockqnn --dataset digits}"
if [[ -n ${VENV:-} ]]; then
    # shellcheck source=/dev/null
    source "$VENV/bin/activate"
fi

# Several jobs may share a machine, and whoever reaches a Ray's port may run what he likes on it: a port and a token of
# our own. srun hands the environment on.
port=$((20000 + SLURM_JOB_ID % 20000))
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0

# Slurm's name of this node, which need not be what the machine calls itself.
name=$(hostname)
head=${SLURMD_NODENAME:-${name%%.*}}
address=$(hostname --ip-address | tr ' ' '\n' | grep -v -e '^127\.' -e : | head -n 1)
cores=$SLURM_CPUS_PER_TASK
gpus=${SLURM_GPUS_ON_NODE:-0}

# Every node keeps its Ray as long as its step runs; srun ends them with this script.
ray_start=(ray start --block --num-cpus="$cores" --num-gpus="$gpus")
srun --nodes=1 --ntasks=1 --nodelist="$head" --cpus-per-task="$cores" \
    "${ray_start[@]}" --head --node-ip-address="$address" --port="$port" --include-dashboard=false &
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT

for _ in $(seq 60); do
    if ray status --address="$address:$port" >/dev/null 2>&1; then break; fi
    sleep 2
done

others=$((SLURM_JOB_NUM_NODES - 1))
if ((others > 0)); then
    srun --nodes="$others" --ntasks="$others" --exclude="$head" --cpus-per-task="$cores" \
        "${ray_start[@]}" --address="$address:$port" &
fi

# As many workers as all nodes have room for. Those for which a node has yet to join wait for it.
room=$((cores / CPUS))
if [[ $GPUS != 0 ]]; then
    by_gpu=$(python -c "print(int($gpus / $GPUS + 1e-6))")
    if ((by_gpu < room)); then room=$by_gpu; fi
fi

automl-cells search "${search[@]}" --trials "$TRIALS" --resume --out "$RUN" \
    --executor ray --address "$address:$port" --workers $((room * SLURM_JOB_NUM_NODES)) \
    --cpus-per-trial "$CPUS" --gpus-per-trial "$GPUS"
