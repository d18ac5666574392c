"""Papers behind the laws, by key: docstrings name them by arXiv number or [key]."""

from __future__ import annotations

from typing import NamedTuple


class Paper(NamedTuple):
    """What a BibTeX entry needs; `and others` where the list of authors was not seen in full."""

    authors: str
    title: str
    year: int
    arxiv: str = ""
    venue: str = ""


PAPERS = {
    "abnar2025": Paper(
        "Abnar, S. and others",
        "Parameters vs FLOPs: Scaling Laws for Optimal Sparsity for Mixture-of-Experts Language "
        "Models",
        2025,
        "2501.12370",
    ),
    "alabdulmohsin2022": Paper(
        "Alabdulmohsin, I. and others", "Revisiting Neural Scaling Laws in Language and Vision",
        2022, "2209.06640",
        "NeurIPS 2022",
    ),
    "allenzhu2024": Paper(
        "Allen-Zhu, Z. and Li, Y.",
        "Physics of Language Models: Part 3.3, Knowledge Capacity Scaling Laws", 2024
    ),
    "antonello2023": Paper("Antonello, R. and others",
                           "Scaling laws for language encoding models in fMRI", 2023),
    "bahri2021": Paper(
        "Bahri, Y. and Dyer, E. and Kaplan, J. and Lee, J. and Sharma, U.",
        "Explaining Neural Scaling Laws", 2021, "2102.06701"
    ),
    "bansal2024": Paper(
        "Bansal, H. and others",
        "Smaller, Weaker, Yet Better: Training LLM Reasoners via Compute-Optimal Sampling", 2024
    ),
    "bergsma2025": Paper(
        "Bergsma, S. and Dey, N. and Gosal, G. and Gray, G. and Soboleva, D. and Hestness, J.",
        "Power Lines: Scaling Laws for Weight Decay and Batch Size in LLM Pre-training",
        2025,
        "2505.13738",
    ),
    "bhagia2024": Paper(
        "Bhagia, A. and others",
        "Establishing Task Scaling Laws via Compute-Efficient Model Ladders", 2024, "2412.04403"
    ),
    "bjorck2024": Paper(
        "Bjorck, J. and Benhaim, A. and Chaudhary, V. and Wei, F. and Song, X.",
        "Scaling Optimal LR Across Token Horizons",
        2024,
        "2409.19913",
    ),
    "bordelon2021": Paper("Bordelon, B. and Pehlevan, C.",
                          "Learning Curves for SGD on Structured Features", 2021),
    "bordelon2024": Paper("Bordelon, B. and Atanasov, A. and Pehlevan, C.",
                          "A Dynamical Model of Neural Scaling Laws", 2024),
    "brandfonbrener2024": Paper(
        "Brandfonbrener, D. and others", "Loss-to-Loss Prediction: Scaling Laws for All Datasets",
        2024, "2411.12925"
    ),
    "brown2024": Paper(
        "Brown, B. and others",
        "Large Language Monkeys: Scaling Inference Compute with Repeated Sampling", 2024,
        "2407.21787"
    ),
    "busbridge2023": Paper("Busbridge, D. and others", "How to Scale Your EMA", 2023),
    "busbridge2025": Paper("Busbridge, D. and others", "Distillation Scaling Laws", 2025,
                           "2502.08606", "ICML 2025"),
    "besiroglu2024": Paper(
        "Besiroglu, T. and Erdil, E. and Barnett, M. and You, J.",
        "Chinchilla Scaling: A replication attempt", 2024, "2404.10102"
    ),
    "caballero2022": Paper("Caballero, E. and others", "Broken Neural Scaling Laws", 2022,
                           "2210.14891", "ICLR 2023"),
    "cerebras2023": Paper("Dey, N. and others", "Cerebras-GPT", 2023, "2304.03208"),
    "charles2025": Paper(
        "Charles, Z. and others",
        "Communication-Efficient Language Model Training Scales Reliably and Robustly: Scaling "
        "Laws for DiLoCo",
        2025,
        "2503.09799",
    ),
    "chen2025": Paper("Chen, M. and others", "Parallel Scaling Law for Language Models", 2025,
                      "2505.10475"),
    "chen2025dco": Paper(
        "Chen, F. and others",
        "Rethinking Fine-Tuning when Scaling Test-Time Compute: Limiting Confidence Improves "
        "Mathematical Reasoning",
        2025,
    ),
    "cherti2022": Paper(
        "Cherti, M. and others",
        "Reproducible scaling laws for contrastive language-image learning", 2022, "2212.07143"
    ),
    "clark2022": Paper("Clark, A. and others", "Unified Scaling Laws for Routed Language Models",
                       2022, "2202.01169"),
    "cottier2024": Paper("Cottier, B. and others",
                         "The rising costs of training frontier AI models", 2024, "2405.21015"),
    "damani2024": Paper("Damani, M. and others",
                        "Learning How Hard to Think: Input-Adaptive Allocation of LM Computation",
                        2024),
    "deepseek2024": Paper("DeepSeek-AI",
                          "DeepSeek LLM: Scaling Open-Source Language Models with Longtermism",
                          2024),
    "dettmers2022": Paper(
        "Dettmers, T. and Zettlemoyer, L.",
        "The case for 4-bit precision: k-bit Inference Scaling Laws", 2022, "2212.09720"
    ),
    "dollar2021": Paper("Dollár, P. and others", "Fast and Accurate Model Scaling", 2021),
    "fan2025": Paper(
        "Fan, Z. and Liu, Y. and Zhao, Q. and Yuan, A. and Gu, Q.",
        "Robust Layerwise Scaling Rules by Proper Weight Decay Tuning",
        2025,
    ),
    "fernandes2023": Paper(
        "Fernandes, P. and others", "Scaling Laws for Multilingual Neural Machine Translation",
        2023, "2302.09650"
    ),
    "fetterman2023": Paper(
        "Fetterman, A. J. and others",
        "Tune As You Scale: Hyperparameter Optimization For Compute Efficient Training", 2023
    ),
    "fort2023": Paper("Fort, S.",
                      "Scaling Laws for Adversarial Attacks on Language Model Activations", 2023),
    "frantar2023": Paper(
        "Frantar, E. and others", "Scaling Laws for Sparsely-Connected Foundation Models", 2023,
        "2309.08520", "ICLR 2024"
    ),
    "gadre2024": Paper(
        "Gadre, S. Y. and others",
        "Language models scale reliably with over-training and on downstream tasks", 2024,
        "2403.08540"
    ),
    "ghorbani2021": Paper("Ghorbani, B. and others", "Scaling Laws for Neural Machine Translation",
                          2021, "2109.07740"),
    "goyal2017": Paper("Goyal, P. and others",
                       "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017),
    "goyal2024": Paper("Goyal, S. and others", "Scaling Laws for Data Filtering", 2024,
                       "2404.07177", "CVPR 2024"),
    "hassid2024": Paper(
        "Hassid, M. and others",
        "The Larger the Better? Improved LLM Code-Generation via Budget Reallocation", 2024
    ),
    "heineman2025": Paper(
        "Heineman, D. and others",
        "Signal and Noise: A Framework for Reducing Uncertainty in Language Model Evaluation", 2025
    ),
    "henighan2020": Paper("Henighan, T. and others",
                          "Scaling Laws for Autoregressive Generative Modeling", 2020,
                          "2010.14701"),
    "hernandez2021": Paper(
        "Hernandez, D. and Kaplan, J. and Henighan, T. and McCandlish, S.",
        "Scaling Laws for Transfer", 2021, "2102.01293"
    ),
    "hestness2017": Paper("Hestness, J. and others",
                          "Deep Learning Scaling is Predictable, Empirically", 2017, "1712.00409"),
    "hoffmann2022": Paper(
        "Hoffmann, J. and others", "Training Compute-Optimal Large Language Models", 2022,
        "2203.15556", "NeurIPS 2022"
    ),
    "hu2023": Paper("Hu, S. and others", "Unlock Predictable Scaling from Emergent Abilities", 2023,
                    "2310.03262"),
    "hu2024": Paper(
        "Hu, S. and others",
        "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training "
        "Strategies",
        2024,
        "2404.06395",
    ),
    "inbar2024": Paper("Inbar, I. and Sernau, L.", "Time Matters: Scaling Laws for Any Budget",
                       2024, "2406.18922"),
    "isik2024": Paper(
        "Isik, B. and others",
        "Scaling Laws for Downstream Task Performance of Large Language Models", 2024, "2402.04177"
    ),
    "jha2025": Paper(
        "Jha, N. K. and Reagen, B.",
        "Spectral Scaling Laws in Language Models: How Effectively Do Feed-Forward Networks Use "
        "Their Latent Space?",
        2025,
    ),
    "jin2025": Paper(
        "Jin, T. and others",
        "The Journey Matters: Average Parameter Count over Pre-training Unifies Sparse and Dense "
        "Scaling Laws",
        2025,
        "2501.12486",
    ),
    "kalajdzievski2023": Paper(
        "Kalajdzievski, D.", "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA", 2023
    ),
    "kaplan2020": Paper("Kaplan, J. and others", "Scaling Laws for Neural Language Models", 2020,
                        "2001.08361"),
    "krajewski2024": Paper("Krajewski, J. and others",
                           "Scaling Laws for Fine-Grained Mixture of Experts", 2024, "2402.07871"),
    "kumar2024": Paper("Kumar, T. and others", "Scaling Laws for Precision", 2024, "2411.04330",
                       "ICLR 2025"),
    "li2024": Paper(
        "Li, K. and Goyal, S. and Semedo, J. and Kolter, J. Z.",
        "Inference Optimal VLMs Need Only One Visual Token but Larger Models", 2024, "2411.03312",
    ),
    "li2025step": Paper(
        "Li, H. and others", "Predictable Scale: Part I, Optimal Hyperparameter Scaling Law", 2025,
        "2503.04715"
    ),
    "liang2024": Paper("Liang, Z. and others", "Scaling Laws for Diffusion Transformers", 2024,
                       "2410.08184"),
    "liew2025": Paper(
        "Liew, S. P. and Kato, T.",
        "Scaling Laws for Upcycling Mixture-of-Experts Language Models",
        2025,
        "2502.03009",
        "ICML 2025",
    ),
    "lin2024": Paper(
        "Lin, H. and others",
        "Selecting Large Language Model to Fine-tune via Rectified Scaling Law", 2024, "2402.02314"
    ),
    "lingle2024": Paper("Lingle, L.", "A Large-Scale Exploration of mu-Transfer", 2024),
    "liu2024": Paper(
        "Liu, Q. and others", "RegMix: Data Mixture as Regression for Language Model Pre-training",
        2024, "2407.01492"
    ),
    "llama2024": Paper("{Llama Team}", "The Llama 3 Herd of Models", 2024),
    "ludziejewski2025": Paper(
        "Ludziejewski, J. and others",
        "Joint MoE Scaling Laws: Mixture of Experts Can Be Memory Efficient", 2025, "2502.05172"
    ),
    "luo2025": Paper(
        "Luo, K. and others",
        "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules", 2025,
        "2503.12811"
    ),
    "magnusson2025": Paper(
        "Magnusson, I. and others",
        "DataDecide: How to Predict Best Pretraining Data with Small Experiments", 2025
    ),
    "maloney2022": Paper("Maloney, A. and Roberts, D. A. and Sully, J.",
                         "A Solvable Model of Neural Scaling Laws", 2022),
    "mayilvahanan2025": Paper(
        "Mayilvahanan, P. and others",
        "LLMs on the Line: Data Determines Loss-to-Loss Scaling Laws", 2025
    ),
    "mccandlish2018": Paper(
        "McCandlish, S. and Kaplan, J. and Amodei, D. and {OpenAI Dota Team}",
        "An Empirical Model of Large-Batch Training",
        2018,
        "1812.06162",
    ),
    "mckenzie2023": Paper("McKenzie, I. R. and others", "Inverse Scaling: When Bigger Isn't Better",
                          2023),
    "mcleish2025": Paper(
        "McLeish, S. and Kirchenbauer, J. and Miller, D. Y. and Singh, S. and Bhatele, A. and "
        "Goldblum, M. and Panda, A. and Goldstein, T.",
        "Gemstones: A Model Suite for Multi-Faceted Scaling Laws",
        2025,
        "2502.06857",
    ),
    "muennighoff2023": Paper(
        "Muennighoff, N. and others", "Scaling Data-Constrained Language Models", 2023,
        "2305.16264", "NeurIPS 2023"
    ),
    "narayanan2023": Paper(
        "Narayanan, D. and others",
        "Cheaply Evaluating Inference Efficiency Metrics for Autoregressive Transformer APIs", 2023
    ),
    "nezhurina2025": Paper(
        "Nezhurina, M. and others",
        "Scaling Laws for Robust Comparison of Open Foundation Language-Vision Models and Datasets",
        2025, "2506.04598",
    ),
    "ouyang2024": Paper("Ouyang, X. and others", "Low-Bit Quantization Favors Undertrained LLMs",
                        2024, "2411.17691"),
    "owen2024": Paper("Owen, D.", "How predictable is language model benchmark performance?", 2024),
    "panferov2025": Paper(
        "Panferov, A. and others", "Unified Scaling Laws for Compressed Representations", 2025,
        "2506.01863"
    ),
    "paquette2024": Paper(
        "Paquette, E. and Paquette, C. and Xiao, L. and Pennington, J.",
        "4+3 Phases of Compute-Optimal Neural Scaling Laws", 2024,
    ),
    "pearce2024": Paper("Pearce, T. and Song, J.", "Reconciling Kaplan and Chinchilla Scaling Laws",
                        2024, "2406.12907", "TMLR"),
    "polo2024": Paper(
        "Maia Polo, F. and others",
        "Sloth: scaling laws for LLM skills to predict multi-benchmark performance across families",
        2024,
        "2412.06540",
    ),
    "porian2024": Paper(
        "Porian, T. and others",
        "Resolving Discrepancies in Compute-Optimal Scaling of Language Models",
        2024,
        "2406.19146",
        "NeurIPS 2024",
    ),
    "rosenfeld2020": Paper(
        "Rosenfeld, J. S. and others",
        "A Constructive Prediction of the Generalization Error Across Scales", 2020, "1909.12673"
    ),
    "ruan2024": Paper(
        "Ruan, Y. and Maddison, C. J. and Hashimoto, T.",
        "Observational Scaling Laws and the Predictability of Language Model Performance",
        2024,
        "2405.10938",
    ),
    "rybkin2025": Paper("Rybkin, O. and others", "Value-Based Deep RL Scales Predictably", 2025),
    "sardana2023": Paper(
        "Sardana, N. and Portes, J. and Doubov, S. and Frankle, J.",
        "Beyond Chinchilla-Optimal: Accounting for Inference in Language Model Scaling Laws",
        2023,
        "2401.00448",
    ),
    "schaeffer2023": Paper(
        "Schaeffer, R. and others", "Are Emergent Abilities of Large Language Models a Mirage?",
        2023
    ),
    "schaeffer2024": Paper(
        "Schaeffer, R. and others",
        "Why Has Predicting Downstream Capabilities of Frontier AI Models with Scale Remained "
        "Elusive?",
        2024,
    ),
    "schaipp2026": Paper(
        "Schaipp, F.",
        "How to Allocate Your Tokens? Scaling Laws with Training Steps and Batch Size", 2026,
        "2607.01487"
    ),
    "serrano2024": Paper("Serrano, Y. and others", "Are Protein Language Models Compute Optimal?",
                         2024),
    "shallue2018": Paper(
        "Shallue, C. J. and others",
        "Measuring the Effects of Data Parallelism on Neural Network Training", 2018
    ),
    "shi2023robustness": Paper(
        "Shi, Z. and others",
        "Effective Robustness against Natural Distribution Shifts for Models with Different "
        "Training Data",
        2023,
    ),
    "shuai2024": Paper(
        "Shuai, X. and Wang, Y. and Wu, Y. and Jiang, X. and Ren, X.",
        "Scaling Law for Language Models Training Considering Batch Size",
        2024,
        "2412.01505",
    ),
    "shukor2025": Paper("Shukor, M. and others", "Scaling Laws for Optimal Data Mixtures", 2025,
                        "2507.09404"),
    "snell2024": Paper(
        "Snell, C. and Lee, J. and Xu, K. and Kumar, A.",
        "Scaling LLM Test-Time Compute Optimally can be More Effective than Scaling Model "
        "Parameters",
        2024,
        "2408.03314",
    ),
    "stroebl2024": Paper(
        "Stroebl, B. and Kapoor, S. and Narayanan, A.",
        "Inference Scaling FLaws: The Limits of LLM Resampling with Imperfect Verifiers",
        2024,
    ),
    "su2024": Paper(
        "Su, H. and Tian, Z. and Shen, X. and Cai, X.",
        "Unraveling the Mystery of Scaling Laws: Part I", 2024, "2403.06563"
    ),
    "tao2024": Paper(
        "Tao, C. and others",
        "Scaling Laws with Vocabulary: Larger Models Deserve Larger Vocabularies", 2024,
        "2407.13623"
    ),
    "tissue2024": Paper(
        "Tissue, H. and Wang, V. and Wang, L.", "Scaling Law with Learning Rate Annealing", 2024,
        "2408.11029"
    ),
    "wang2025deepfake": Paper("Wang, W. and others", "Scaling Laws for Deepfake Detection", 2025),
    "wei2022": Paper("Wei, J. and others", "Inverse scaling can become U-shaped", 2022),
    "wu2024inference": Paper(
        "Wu, Y. and others",
        "Inference Scaling Laws: An Empirical Analysis of Compute-Optimal Inference for "
        "Problem-Solving with Language Models",
        2024,
        "2408.00724",
    ),
    "xiao2024": Paper("Xiao, C. and others", "Densing Law of LLMs", 2024, "2412.04315"),
    "yang2023": Paper("Yang, G. and Simon, J. B. and Bernstein, J.",
                      "A Spectral Condition for Feature Learning", 2023),
    "yao2023": Paper(
        "Yao, Y. and Wang, Y.", "Research without Re-search: muP yields accurate loss prediction",
        2023, "2304.06875"
    ),
    "yao2024": Paper("Yao, Q. and others",
                     "Towards Neural Scaling Laws for Time Series Foundation Models", 2024),
    "ye2024": Paper(
        "Ye, J. and others",
        "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance",
        2024, "2403.16952",
    ),
    "yin2024": Paper(
        "Yin, Y. and others", "Towards Precise Scaling Laws for Video Diffusion Transformers", 2024,
        "2411.17470"
    ),
    "you2017": Paper("You, Y. and others", "Large Batch Training of Convolutional Networks", 2017),
    "yue2024": Paper(
        "Yue, Z. and others", "Inference Scaling for Long-Context Retrieval Augmented Generation",
        2024, "2410.04343"
    ),
    "yun2024": Paper(
        "Yun, L. and others", "Toward Inference-optimal Mixture-of-Expert Large Language Models",
        2024, "2404.02852"
    ),
    "zhang2024_cpp": Paper(
        "Zhang, Q. and others", "Collaborative Performance Prediction for Large Language Models",
        2024
    ),
    "zhang2024cbs": Paper(
        "Zhang, H. and Morwani, D. and Vyas, N. and Wu, J. and Zou, D. and Ghai, U. and Foster, D. "
        "and Kakade, S.",
        "How Does Critical Batch Size Scale in Pre-training?",
        2024,
        "2410.21676",
    ),
    "zhang2024finetuning": Paper(
        "Zhang, B. and Liu, Z. and Cherry, C. and Firat, O.",
        "When Scaling Meets LLM Finetuning: The Effect of Data, Model and Finetuning Method",
        2024,
        "2402.17193",
    ),
    "zhang2024osca": Paper("Zhang, K. and others",
                           "Scaling LLM Inference with Optimized Sample Compute Allocation", 2024),
    "zhou2025": Paper(
        "Zhou, Z. and others",
        "Bridging Internal Probability and Self-Consistency for Effective and Efficient LLM "
        "Reasoning",
        2025,
    ),
    "ziarko2024": Paper(
        "Ziarko, A. and others",
        "Repurposing Language Models into Embedding Models: Finding the Compute-Optimal Recipe",
        2024
    ),
}
