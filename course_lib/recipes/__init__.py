"""How everything in `data/` was trained; `python -m course_lib train NAME` does it again."""

RECIPES = {
    "basics": "the MLP autoencoder of notebook 01 for long, beside PCA",
    "table1": "seven MLP VAEs on MNIST, the table of notebook 04",
    "sprites": "β-VAEs on the sprites, several seeds",
    "faces": "autoencoders and VAEs of 64×64 faces",
    "classifier": "the classifier of 32×32 images whose features judge sets of images",
    "cvae": "the conditional VAE of 32×32 images",
    "likelihoods": "three likelihoods of the faces' VAE, three trainings of each",
    "walks": "directions of attributes in the codes of faces, for the lecture demo",
    "ddpm": "the diffusion model of 32×32 images",
    "vq": "VQ-VAEs of 64×64 faces, with a density of their symbols (notebook 06)",
    "latent": "diffusion of the faces' codes beside diffusion of their pixels",
    "hierarchy": "two layers of latents on digits, three trainings of each kind",
    "mae": "the masked autoencoder of 32×32 images, and a VAE trained for as long",
    "digits": "what the lecture demo needs besides: autoencoder, denoiser, diffusion of digits",
}
